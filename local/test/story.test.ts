import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, expect, waitFor } from '@streamledger/testkit'
import exceljs from 'exceljs'
import { createApiClient } from '../src/api-client.ts'

// The product's whole path: three real processes, one real Postgres, one real Kafka, and a user at each end.

const USERS = 4
const TRANSACTIONS = 60
const PAGE = 25

interface Transaction {
  transaction_id: number
  entry: 'credit' | 'debit'
  amount: number
  balance: number
  trans_id: string
  sequence: number
  created_at: string
}

const test = base.extend('system', async ({ createDatabase, kafka, spawnService }, { onCleanup }) => {
  const { url } = await createDatabase({ empty: true })
  const exports = await mkdtemp(join(tmpdir(), 'story-'))
  onCleanup(() => rm(exports, { recursive: true }))
  const env = {
    DATABASE_URL: url,
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC: `story-${randomUUID()}`,
    INSTALLATION_ID: randomUUID(),
    JWT_SECRET: randomUUID(),
    EXPORT_DIR: exports,
  }
  // All three at once on an empty database, as compose or Kubernetes would start them.
  const services = await Promise.all(
    ['api', 'relay', 'exporter'].map((name) => spawnService(`services/${name}/src/main.ts`, env)),
  )
  await Promise.all(services.map((service) => service.ready()))
  const [api] = services
  if (!api) throw new Error('there is no API')
  return { topic: env.KAFKA_TOPIC, origin: api.url, services }
})

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

/** The rows of the workbook that the exporter made, as [date, id, entry, naira, naira, trans_id]. */
async function exportAll({ api }: Person, origin: string): Promise<unknown[][]> {
  const { json } = await api.call('POST', '/transactions/export', { body: {}, status: 202 })
  const { export_id } = json as Export
  const done = await waitFor(
    async () => {
      const { json } = await api.call('GET', `/transactions/exports/${export_id}`, { status: 200 })
      expect(json).toMatchObject({ status: 'succeeded' })
      return json as Export
    },
    { timeoutMs: 30_000 },
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

test('what the API answered, what a consumer reads and what the workbook shows are the same', async ({
  system,
  kafka,
}) => {
  const people = await Promise.all(Array.from({ length: USERS }, () => signUp(system.origin)))
  const histories = await Promise.all(people.map(spend))

  const records = await kafka.readAll(system.topic, { count: USERS * TRANSACTIONS })
  for (const [index, person] of people.entries()) {
    const history = histories[index] as Transaction[]
    expect(await listAll(person)).toEqual(history.toReversed())
    const { json } = await person.api.call('GET', '/wallet', { status: 200 })
    expect(json).toMatchObject({ wallet: { balance: history.at(-1)?.balance, sequence: TRANSACTIONS } })

    const events = records.filter(({ key }) => key === person.key)
    expect(events.map(({ value }) => JSON.parse(value ?? ''))).toEqual(
      history.map(({ created_at, ...posted }) =>
        expect.objectContaining({ ...posted, user_id: Number(person.key), timestamp: created_at }),
      ),
    )
    expect(events.map(({ headers }) => headers.ce_id)).toEqual(
      history.map(({ transaction_id }) => String(transaction_id)),
    )

    const rows = await exportAll(person, system.origin)
    expect(rows).toEqual(
      history.map((posted) => [
        new Date(posted.created_at),
        posted.transaction_id,
        posted.entry,
        posted.amount / 100,
        posted.balance / 100,
        'NGN',
        posted.trans_id,
      ]),
    )
  }
  // Nothing else came out: no replay and no refusal made an event.
  expect((await kafka.readAll(system.topic)).length).toBe(USERS * TRANSACTIONS)

  for (const service of system.services) service.signal('SIGTERM')
  for (const service of system.services) expect(await service.exited).toEqual({ code: 0, signal: null })
}, 120_000)
