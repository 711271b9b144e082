import { randomUUID } from 'node:crypto'
import { expect, type TopicRecord, waitFor } from '@streamledger/testkit'
import exceljs from 'exceljs'
import { createApiClient } from '../src/api-client.ts'

const USERS = 4
const TRANSACTIONS = 60
const PAGE = 25
const EXPORT_DEADLINE_MS = 30_000

interface Transaction {
  transaction_id: number
  entry: 'credit' | 'debit'
  amount: number
  balance: number
  trans_id: string
  sequence: number
  created_at: string
}

export interface Stage {
  /** Of the API. */
  origin: string
  /** Everything that a read_committed consumer sees once this holds of it, or up to the end of now. */
  readTopic(isEnough?: (records: readonly TopicRecord[]) => boolean): Promise<TopicRecord[]>
}

/** Users spend, list and export: what the API answered, what a consumer reads and what the workbook shows are the same. */
export async function playStory({ origin, readTopic }: Stage): Promise<void> {
  const people = await Promise.all(Array.from({ length: USERS }, () => signUp(origin)))
  const histories = await Promise.all(people.map(spend))

  const keys = new Set(people.map(({ key }) => key))
  const ours = (all: readonly TopicRecord[]) => all.filter(({ key }) => keys.has(key ?? ''))
  const records = ours(await readTopic((seen) => ours(seen).length >= USERS * TRANSACTIONS))
  for (const [index, person] of people.entries()) {
    const history = histories[index] as Transaction[]
    expect(await listAll(person)).toEqual(history.toReversed())
    const { json } = await person.api.call('GET', '/wallet', { status: 200 })
    expect(json).toMatchObject({ wallet: { balance: history.at(-1)?.balance, sequence: TRANSACTIONS } })
    expectEvents(records, person, history)
    expectRows(await exportAll(person, origin), history)
  }
  // Nothing else came out: no replay and no refusal made an event.
  expect(ours(await readTopic()).length).toBe(USERS * TRANSACTIONS)
}

function expectEvents(records: readonly TopicRecord[], { key }: Person, history: readonly Transaction[]): void {
  const events = records.filter((record) => record.key === key)
  expect(events.map(({ value }) => JSON.parse(value ?? ''))).toEqual(
    history.map(({ created_at, ...posted }) =>
      expect.objectContaining({ ...posted, user_id: Number(key), timestamp: created_at }),
    ),
  )
  expect(events.map(({ headers }) => headers.ce_id)).toEqual(
    history.map(({ transaction_id }) => String(transaction_id)),
  )
}

function expectRows(rows: unknown[][], history: readonly Transaction[]): void {
  expect(rows).toEqual(
    history.map((posted) => [
      new Date(posted.created_at),
      String(posted.transaction_id),
      posted.entry,
      posted.amount / 100,
      posted.balance / 100,
      'NGN',
      posted.trans_id,
      String(posted.amount),
      String(posted.balance),
    ]),
  )
}

async function signUp(origin: string) {
  const api = createApiClient(`${origin}/api/v1`)
  const email = `${randomUUID()}@example.com`
  const password = `story ${randomUUID()}`
  await api.call('POST', '/auth/signup', {
    body: { first_name: 'Ada', last_name: 'Obi', email, password },
    status: 201,
  })
  const { json } = await api.call('POST', '/auth/login', { body: { email, password }, status: 200 })
  const { user, access_token } = json as { user: { user_id: number }; access_token: { token: string } }
  api.authorize(access_token.token)
  return { api, key: String(user.user_id) }
}

type Person = Awaited<ReturnType<typeof signUp>>

/** Credits and debits, some of them twice and some refused; returns what was accepted, as it was answered. */
async function spend({ api }: Person): Promise<Transaction[]> {
  const accepted: Transaction[] = []
  for (let n = 0; n < TRANSACTIONS; n += 1) {
    const body = { entry: n % 3 === 2 ? 'debit' : 'credit', amount: 100 + n, trans_id: `order-${n}` }
    const { json, text } = await api.call('POST', '/transactions', { body, status: 201 })
    accepted.push(json as Transaction)
    if (n % 10 === 0) {
      const replay = await api.call('POST', '/transactions', { body, status: 201 })
      expect(replay.text).toBe(text)
      expect(replay.headers.get('idempotent-replayed')).toBe('true')
      const greedy = { entry: 'debit', amount: 1_000_000_000, trans_id: `greedy-${n}` }
      const refused = await api.call('POST', '/transactions', { body: greedy, status: 422 })
      expect(refused.json).toMatchObject({ code: 'insufficient_funds' })
    }
  }
  return accepted
}

/** Page by page, newest first, until there is no further one. */
async function listAll({ api }: Person): Promise<Transaction[]> {
  const listed: Transaction[] = []
  let cursor: string | null = null
  do {
    const query: string = `?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`
    const { json } = await api.call('GET', `/transactions${query}`, { status: 200 })
    const page = json as { data: Transaction[]; pagination: { next_cursor: string | null } }
    listed.push(...page.data)
    cursor = page.pagination.next_cursor
  } while (cursor)
  return listed
}

interface Export {
  export_id: string
  status: string
  rows_done: number
  file_url: string
}

/** The rows of the workbook that the exporter made, as [date, id, entry, naira, naira, currency, trans_id, kobo, kobo]. */
async function exportAll({ api }: Person, origin: string): Promise<unknown[][]> {
  const { json } = await api.call('POST', '/transactions/export', { body: {}, status: 202 })
  const { export_id } = json as Export
  const done = await waitFor(
    async () => {
      const { json } = await api.call('GET', `/transactions/exports/${export_id}`, { status: 200 })
      expect(json).toMatchObject({ status: 'succeeded' })
      return json as Export
    },
    { timeoutMs: EXPORT_DEADLINE_MS },
  )
  const workbook = new exceljs.Workbook()
  const file = await api.download(new URL(done.file_url, origin))
  await workbook.xlsx.load(file as unknown as exceljs.Buffer)
  const sheet = workbook.getWorksheet('Transactions')
  const rows: unknown[][] = []
  sheet?.eachRow((row, number) => {
    if (number > 1) rows.push((row.values as unknown[]).slice(1))
  })
  return rows
}
