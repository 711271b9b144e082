import { randomUUID } from 'node:crypto'
import { waitFor } from '@streamledger/testkit/wait-for'
import type { Stack } from './open-stack.ts'

/** Resources that exist before the first request, because requests could not guess their ids. */
export interface Seeds {
  readonly accessToken: string
  readonly emails: readonly string[]
  readonly password: string
  readonly refreshTokens: readonly string[]
  readonly transIds: readonly string[]
  readonly transactionIds: readonly number[]
  readonly transactionCursors: readonly string[]
  readonly exportCursors: readonly string[]
  readonly idempotencyKeys: readonly string[]
  /** Exports in each state; DELETE requests do not use them. */
  readonly exportIds: readonly string[]
  /** To delete. */
  readonly spareExportIds: readonly string[]
  readonly etags: readonly string[]
}

// biome-ignore lint/suspicious/noExplicitAny: the fuzz itself checks answers against the document
type Json = any

const PASSWORD = 'a long pass phrase'
/** Each mode has its own, because a refresh token that was used and then used again ends its session. */
const SESSIONS = 80
const TRANSACTIONS = 120
const EXPORTS = 6
const SPARE_EXPORTS = 20
const EXPORTS_DEADLINE_MS = 60_000

/** Ids that need escaping; they are all different, although some look alike. */
const ODD_TRANS_IDS = [
  'a/b?c=d&e#f',
  '100%',
  '..',
  '\u00e9',
  'e\u0301',
  '\u{1f4b8}'.repeat(60),
  ' ',
  "'; drop table users; --",
]

export async function plantSeeds({ url, pool }: Stack): Promise<Seeds> {
  const email = 'ada@example.com'
  const account = await call(url, 'POST', '/auth/signup', {
    body: { first_name: 'Ada', last_name: 'Obi', email, password: PASSWORD },
  })
  const token = account.access_token.token
  const refreshTokens: string[] = [account.refresh_token.token]
  while (refreshTokens.length < SESSIONS) {
    const { refresh_token } = await call(url, 'POST', '/auth/login', { body: { email, password: PASSWORD } })
    refreshTokens.push(refresh_token.token)
  }
  const transactions = await postSome(url, token)
  const exports = await orderSome(url, token, { count: EXPORTS + SPARE_EXPORTS })
  const exportIds = exports.slice(0, EXPORTS)
  await bringIntoEveryState(pool, exportIds)
  const { rows } = await pool.query<{ sha256: string }>('select distinct sha256 from exports where sha256 is not null')
  const cursorOf = async (path: string) => (await call(url, 'GET', path, { token })).pagination.next_cursor as string
  return {
    ...{ accessToken: token, emails: [email, email.toUpperCase()], password: PASSWORD, refreshTokens },
    ...transactions,
    transactionCursors: [
      await cursorOf('/transactions?limit=3'),
      await cursorOf('/transactions?limit=50&entry=credit'),
      await cursorOf('/transactions?limit=3&from=2020-01-01T00:00:00Z'),
    ],
    exportCursors: [await cursorOf('/transactions/exports?limit=1'), await cursorOf('/transactions/exports?limit=7')],
    idempotencyKeys: ['key-1', 'key-2', 'key-3'],
    ...{ exportIds, spareExportIds: exports.slice(EXPORTS), etags: rows.map(({ sha256 }) => `"${sha256}"`) },
  }
}

async function postSome(url: string, token: string): Promise<Pick<Seeds, 'transIds' | 'transactionIds'>> {
  const transIds = [...ODD_TRANS_IDS]
  while (transIds.length < TRANSACTIONS) transIds.push(`order-${transIds.length}`)
  const transactionIds: number[] = []
  for (const [index, trans_id] of transIds.entries()) {
    const body = { entry: index % 3 === 2 ? 'debit' : 'credit', amount: 1_000, trans_id }
    transactionIds.push((await call(url, 'POST', '/transactions', { token, body })).transaction_id)
  }
  const refused = { entry: 'debit', amount: Number.MAX_SAFE_INTEGER, trans_id: 'refused' }
  await call(url, 'POST', '/transactions', { token, body: refused, status: 422 })
  return { transIds: [...transIds.slice(0, ODD_TRANS_IDS.length + 5), 'refused'], transactionIds }
}

async function orderSome(url: string, token: string, { count }: { count: number }): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < count) {
    const headers = { 'idempotency-key': ids.length < 3 ? `key-${ids.length + 1}` : randomUUID() }
    ids.push((await call(url, 'POST', '/transactions/export', { token, headers })).export_id)
  }
  const isDone = async (id: string) =>
    (await call(url, 'GET', `/transactions/exports/${id}`, { token })).status === 'succeeded'
  await waitFor(async () => (await Promise.all(ids.map(isDone))).every(Boolean), { timeoutMs: EXPORTS_DEADLINE_MS })
  return ids
}

/** States that a client cannot cause in time. The other exports stay as the exporter left them. */
async function bringIntoEveryState(pool: Stack['pool'], ids: readonly string[]): Promise<void> {
  const [expired, failed, cancelled] = ids
  await pool.query(`update exports set status = 'expired' where id = $1`, [expired])
  const unfinished = 'file = null, size = null, sha256 = null, expires_at = null'
  await pool.query(`update exports set status = 'failed', error = 'export_failed', ${unfinished} where id = $1`, [
    failed,
  ])
  await pool.query(`update exports set status = 'cancelled', ${unfinished} where id = $1`, [cancelled])
}

interface Call {
  token?: string
  body?: unknown
  headers?: Record<string, string>
  /** The expected status, if it is not a success. */
  status?: number
}

async function call(url: string, method: string, path: string, { token, body, headers, status }: Call): Promise<Json> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (status === undefined ? !response.ok : response.status !== status) {
    throw new Error(`${method} ${path} was answered ${response.status}: ${text}`)
  }
  return JSON.parse(text)
}
