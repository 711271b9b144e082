import { randomBytes, randomUUID } from 'node:crypto'
import {
  type CollectorMood,
  expect,
  type OtlpSpan,
  type OwnCollector,
  readMetric,
  type ServiceProcess,
  type SpawnService,
  type TestDatabase,
  test,
  waitFor,
} from '@streamledger/testkit'
import { sql } from 'kysely'
import { signUp } from './api.ts'
import { spawnApis } from './api-processes.ts'
import type { Client } from './client.ts'

const ROUTE = 'POST /api/v1/transactions'

interface Traced {
  api: ServiceProcess
  client: Client
  /** Posts with a trace context, valid or not. */
  post(traceparent?: string, trans_id?: string): ReturnType<Client['call']>
  /** The trace contexts in the outbox, in its order. */
  readOutbox(): Promise<(string | undefined)[]>
}

async function startTraced(
  { pool, url }: TestDatabase,
  spawnService: SpawnService,
  collector: Pick<OwnCollector, 'endpoint'>,
  env: Record<string, string> = {},
): Promise<Traced> {
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, LOG_LEVEL: 'info', ...env }
  const [api] = await spawnApis(spawnService, url, { env: traced })
  if (!api) throw new Error('there is no API')
  const client = await signUp(api.url)
  return {
    api,
    client,
    post: (traceparent, trans_id = randomUUID()) =>
      client.call('POST', '/transactions', {
        body: { entry: 'credit', amount: 1, trans_id },
        headers: traceparent === undefined ? {} : { traceparent },
      }),
    readOutbox: async () => {
      const { rows } = await pool.query<{ headers: Record<string, string> }>('select headers from outbox order by id')
      return rows.map(({ headers }) => headers.traceparent)
    },
  }
}

const makeTraceparent = (flags = '01') =>
  `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-${flags}`
const traceOf = (traceparent = ''): string => traceparent.split('-')[1] ?? ''
const spansOf = (collector: OwnCollector, traceparent: string): OtlpSpan[] =>
  collector.spans.filter(({ traceId }) => traceId === traceOf(traceparent))

async function stop(api: ServiceProcess): Promise<void> {
  api.signal('SIGTERM')
  expect(await api.exited).toEqual({ code: 0, signal: null })
}

test('a trace that its caller does not record is carried on and not exported, and the last spans go out with SIGTERM', async ({
  createDatabase,
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const { api, post, readOutbox } = await startTraced(await createDatabase(), spawnService, collector)
  const [unrecorded, recorded] = [makeTraceparent('00'), makeTraceparent('01')]
  await post(unrecorded)
  await post(recorded)
  const carried = await readOutbox()
  expect(carried.map(traceOf)).toEqual([unrecorded, recorded].map(traceOf))
  expect(carried.map((one) => one?.slice(-2))).toEqual(['00', '01'])
  // It stops at once: spans that waited for a full export request are still sent.
  await stop(api)
  expect(spansOf(collector, recorded).map(({ name }) => name)).toEqual(expect.arrayContaining([ROUTE]))
  expect(spansOf(collector, recorded).length).toBe(2)
  expect(spansOf(collector, unrecorded)).toEqual([])
})

test('whatever pretends to be a trace is none: a request begins one of its own', async ({
  createDatabase,
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const { api, post, readOutbox } = await startTraced(await createDatabase(), spawnService, collector)
  const hostile = [
    `00-${'0'.repeat(32)}-${'b2'.repeat(8)}-01`,
    `ff-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01`,
    `00-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01-and-more`,
    `00-${'A1'.repeat(16)}-${'b2'.repeat(8)}-01`,
    `01-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01-${'x'.repeat(8_000)}`,
    "'; drop table outbox; --",
  ]
  for (const traceparent of hostile) expect((await post(traceparent)).status).toBe(201)
  const carried = await readOutbox()
  expect(carried.length).toBe(hostile.length)
  expect(new Set(carried.map(traceOf)).size).toBe(hostile.length)
  for (const traceparent of carried) expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(carried.map(traceOf)).not.toContain('a1'.repeat(16))
  await stop(api)
  const requests = collector.spans.filter(({ name }) => name === ROUTE)
  expect(requests.map(({ parentSpanId }) => parentSpanId)).toEqual(hostile.map(() => ''))
})

test('a replay and a refusal say so in their own traces, and leave the event in the trace of who posted it', async ({
  createDatabase,
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const { api, client, post, readOutbox } = await startTraced(await createDatabase(), spawnService, collector)
  const [first, second, third] = [makeTraceparent(), makeTraceparent(), makeTraceparent()]
  await post(first, 'order-1')
  expect((await post(second, 'order-1')).headers.get('idempotent-replayed')).toBe('true')
  const body = { entry: 'debit', amount: 1_000, trans_id: 'too much' }
  expect((await client.call('POST', '/transactions', { body, headers: { traceparent: third } })).status).toBe(422)
  expect((await readOutbox()).map(traceOf)).toEqual([traceOf(first)])
  await stop(api)
  const requestOf = (traceparent: string) => spansOf(collector, traceparent).find(({ name }) => name === ROUTE)
  expect(requestOf(first)?.attributes).not.toHaveProperty('streamledger.replayed')
  expect(requestOf(second)?.attributes).toMatchObject({ 'streamledger.replayed': true })
  expect(requestOf(third)).toMatchObject({
    failed: false,
    attributes: { 'http.response.status_code': 422, 'error.type': 'insufficient_funds' },
  })
  const created = spansOf(collector, third).find(({ kind }) => kind === 'producer')
  expect(created).toMatchObject({ failed: false, attributes: { 'streamledger.refusal': 'insufficient_funds' } })
})

test('a sampler that does not ask callers has none of their traces recorded', async ({
  createDatabase,
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }
  const { api, post, readOutbox } = await startTraced(await createDatabase(), spawnService, collector, env)
  const forced = makeTraceparent('01')
  await post(forced)
  const [carried] = await readOutbox()
  expect([traceOf(carried), carried?.slice(-2)]).toEqual([traceOf(forced), '00'])
  await stop(api)
  expect(collector.requests).toEqual([])
})

test("paths that are nobody's, and what is in a path, stay out of spans", async ({
  createDatabase,
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const { api, client } = await startTraced(await createDatabase(), spawnService, collector)
  await client.get('/transactions/by-trans-id/the-rent?what=secret-query')
  await client.get('/the-rent/of/nobody')
  await stop(api)
  const names = collector.spans.map(({ name }) => name)
  expect(names).toContain('GET /api/v1/transactions/by-trans-id/:trans_id')
  expect(names).toContain('GET')
  const text = JSON.stringify(collector.spans.map(({ attributes, name }) => ({ attributes, name })))
  for (const part of ['the-rent', 'secret-query', '127.0.0.1']) expect(text).not.toContain(part)
})

test('a client that hangs up is told as one, and the posting that it asked for as it went', async ({
  createDatabase,
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const database = await createDatabase()
  const { api, client, post } = await startTraced(database, spawnService, collector)
  await post()
  const locking = await database.db.startTransaction().execute()
  await sql`lock table transactions in access exclusive mode`.execute(locking)
  const impatient = new AbortController()
  const asked = fetch(`${api.url}/api/v1/transactions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.account.access_token.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ entry: 'credit', amount: 1, trans_id: randomUUID() }),
    signal: impatient.signal,
  })
  const isUnderWay = async (): Promise<boolean> => (await readMetric(api, 'posting_pending')) === 1
  await waitFor(isUnderWay)
  impatient.abort()
  await expect(asked).rejects.toThrow('abort')
  await locking.commit().execute()
  await waitFor(async () => !(await isUnderWay()))
  await stop(api)
  const requests = collector.spans.filter(({ name }) => name === ROUTE)
  expect(requests.map(({ attributes }) => attributes['error.type'])).toEqual([undefined, 'client_gone'])
  const created = collector.spans.filter(({ kind }) => kind === 'producer')
  expect(created.map(({ failed }) => failed)).toEqual([false, false])
})

for (const mood of ['silent', 'refusing', 'down'] satisfies (CollectorMood | 'down')[]) {
  test(`with a collector that is ${mood} requests are answered, spans are counted, and a stop ends in time`, async ({
    createDatabase,
    spawnService,
    startCollector,
  }) => {
    const collector = await startCollector()
    if (mood === 'down') await collector.remove()
    else collector.mood = mood
    const env = { DRAIN_TIMEOUT_MS: '8000' }
    const { api, post, readOutbox } = await startTraced(await createDatabase(), spawnService, collector, env)
    for (let n = 0; n < 20; n += 1) expect((await post()).status).toBe(201)
    expect((await readOutbox()).length).toBe(20)
    await waitFor(async () => (await readMetric(api, 'streamledger_spans_total')) > 0, { timeoutMs: 20_000 })
    await waitFor(() => api.logs.includes('spans could not be sent'))
    await post()
    await stop(api)
    expect(collector.spans).toEqual([])
  }, 60_000)
}
