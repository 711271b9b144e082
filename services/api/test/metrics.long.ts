import { randomUUID } from 'node:crypto'
import type { ServiceProcess, SpawnService } from '@streamledger/testkit'
import { expect, makeEnv, makePerson, signUp, test, waitFor } from './api.ts'
import { createClient } from './client.ts'

async function startProcess(url: string, spawnService: SpawnService, env: Record<string, string> = {}) {
  const { PORT: _, ...rest } = makeEnv(url, env)
  const service = await spawnService('services/api/src/main.ts', rest)
  await service.ready()
  return service
}

/** The value of the one series with this name and these labels. */
async function readSeries({ opsUrl }: ServiceProcess, name: string, ...labels: string[]): Promise<number> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text()
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.every((one) => line.includes(one)))
  expect(lines).toHaveLength(1)
  return Number(lines[0]?.split(' ').at(-1))
}

test('the metrics tell of batches, of replays, of refusals by their code, and of connections', async ({
  database,
  spawnService,
}) => {
  const service = await startProcess(database.url, spawnService)
  const client = await signUp(service.url)
  const [credit, debit] = [randomUUID(), randomUUID()]
  for (const repeated of [1, 2]) {
    expect((await client.post('credit', 5, credit)).status).toBe(201)
    expect((await client.post('debit', 6, debit)).status, `round ${repeated}`).toBe(422)
  }

  await waitFor(async () => {
    expect(await readSeries(service, 'http_problems_total', 'code="insufficient_funds"')).toBe(2)
    expect(await readSeries(service, 'posting_replays_total')).toBe(2)
    expect(await readSeries(service, 'posting_batch_rows_sum')).toBe(4)
    expect(await readSeries(service, 'posting_batch_rows_count')).toBe(4)
    expect(await readSeries(service, 'posting_batch_duration_seconds_count')).toBe(4)
    expect(await readSeries(service, 'posting_batch_duration_seconds_sum')).toBeGreaterThan(0)
    expect(await readSeries(service, 'posting_waiting')).toBe(0)
    expect(await readSeries(service, 'database_connections', 'pool="main"', 'state="waited_for"')).toBe(0)
  })
})

test('the series that alerts read are there at 0 before the first request: a first burst is an increase', async ({
  database,
  spawnService,
}) => {
  const service = await startProcess(database.url, spawnService)
  const lines = (await (await fetch(`${service.opsUrl}/metrics`)).text()).split('\n')
  const at0 = (name: string, ...labels: string[]) =>
    lines.filter((line) => line.startsWith(`${name}{`) && labels.every((one) => line.includes(one)) && / 0$/.test(line))
  const posting = ['method="POST"', 'route="/api/v1/transactions"']
  const count = 'http_request_duration_seconds_count'
  for (const status of ['201', '422', '500', '503']) {
    expect(at0(count, ...posting, `status="${status}"`)).toHaveLength(1)
    expect(at0('http_request_duration_seconds_bucket', ...posting, `status="${status}"`, 'le="0.25"')).toHaveLength(1)
  }
  const routes = ['wallet', 'transactions/:transaction_id', 'transactions/exports', 'auth/login'].map((path) => `"/api/v1/${path}"`) // biome-ignore format: one line
  for (const route of routes) expect(at0(count, route, 'status="503"')).not.toEqual([])
  expect(at0(count, 'route="unmatched"', 'status="503"')).toHaveLength(1)
  expect(at0('http_problems_total', 'code="unavailable"')).toHaveLength(1)
  // The number of series stays small: most answers of a route never happen.
  expect(lines.filter((line) => line.startsWith(count)).length).toBeLessThan(80)
})

test('the metrics tell of the waiting room while a wallet is locked', async ({ database, spawnService }) => {
  const service = await startProcess(database.url, spawnService, { POSTING_BATCH_ROWS_MAX: '1' })
  const client = await signUp(service.url)
  const holder = await database.pool.connect()
  await holder.query('begin')
  await holder.query('select from wallets where user_id = $1 for update', [client.account.user.user_id])
  const posted = Array.from({ length: 20 }, () => client.post('credit', 1))
  // The lock keeps one posting in a batch. When it is retried, it returns to the queue for a moment.
  await waitFor(async () => expect(await readSeries(service, 'posting_waiting')).toBe(19))
  await holder.query('rollback')
  holder.release()
  for (const { status } of await Promise.all(posted)) expect(status).toBe(201)
  expect(await readSeries(service, 'posting_waiting')).toBe(0)
})

test('the metrics tell of passwords that wait to be hashed', async ({ database, spawnService }) => {
  const service = await startProcess(database.url, spawnService, { PASSWORD_HASHES_MAX: '1' })
  const client = createClient(service.url)
  const one = () => client.call('POST', '/auth/signup', { body: makePerson() })
  const signedUp = Promise.all(Array.from({ length: 40 }, one))
  await waitFor(
    async () => {
      expect(await readSeries(service, 'password_hashes_running')).toBe(1)
      expect(await readSeries(service, 'password_hashes_waiting')).toBeGreaterThan(0)
    },
    { intervalMs: 1 },
  )
  await signedUp
  expect(await readSeries(service, 'password_hashes_running')).toBe(0)
})
