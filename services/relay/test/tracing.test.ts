import { randomBytes } from 'node:crypto'
import { expect, readMetric, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { countOutbox, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const SPANS_PER_BATCH_MAX = 100

const makeTrace = (flags = '01') => {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` }
}

/** Rows of one partition, in one commit, so that they come in one batch. */
async function insertRows(pool: Pool, headers: readonly object[]): Promise<void> {
  await pool.query(`insert into outbox (partition, key, payload, headers) select 0, '1', '{}', unnest($1::json[])`, [
    headers.map((one) => JSON.stringify(one)),
  ])
}

test('of a batch, each record whose trace is recorded has a span in it, and every record the headers of its row', async ({
  database,
  kafka,
  spawnService,
  startCollector,
}) => {
  const installation = await makeInstallation(database.pool, 1)
  const collector = await startCollector()
  const [first, second] = [makeTrace(), makeTrace()]
  const headers = [
    { ce_id: '1', traceparent: first.traceparent, tracestate: 'vendor=opaque' },
    { ce_id: '2' },
    { ce_id: '3', traceparent: makeTrace('00').traceparent },
    { ce_id: '4', traceparent: '00-what-is-this-01' },
    { ce_id: '5', traceparent: second.traceparent },
  ]
  await insertRows(database.pool, headers)
  const relay = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.brokers, installation),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  await relay.ready()

  const records = await kafka.readAll(installation.topic, { count: headers.length })
  expect(records.map(({ headers: { streamledger_batch: _, ...own } }) => own)).toEqual(headers)
  await waitFor(() => collector.spans.length >= 2)
  relay.signal('SIGTERM')
  expect(await relay.exited).toEqual({ code: 0, signal: null })
  expect(
    collector.spans.map(({ traceId, parentSpanId, attributes }) => ({
      traceId,
      spanId: parentSpanId,
      offset: attributes['messaging.kafka.offset'],
      of: attributes['messaging.batch.message_count'],
    })),
  ).toEqual([
    { traceId: first.traceId, spanId: first.spanId, offset: records[0]?.offset, of: 5 },
    { traceId: second.traceId, spanId: second.spanId, offset: records[4]?.offset, of: 5 },
  ])
}, 60_000)

test('a batch has a bounded number of spans, and the records beyond it are published all the same', async ({
  createDatabase,
  kafka,
  spawnService,
  startCollector,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 1)
  const collector = await startCollector()
  const [unrecorded, recorded] = [150, SPANS_PER_BATCH_MAX + 30]
  // Unsampled traces come first, and do not count toward the limit.
  const flags = [...Array(unrecorded).fill('00'), ...Array(recorded).fill('01')]
  await insertRows(
    database.pool,
    flags.map((flag) => ({ traceparent: makeTrace(flag).traceparent })),
  )
  const relay = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.brokers, installation),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  await relay.ready()
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  await waitFor(async () => (await readMetric(relay, 'streamledger_spans_total')) === recorded)
  expect(collector.spans.length).toBe(SPANS_PER_BATCH_MAX)
}, 60_000)

test('a batch whose outcome has to be asked for is told as such in its trace and in the log', async ({
  createDatabase,
  startProxiedKafka,
  spawnService,
  startCollector,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 1)
  const collector = await startCollector()
  const kafka = await startProxiedKafka()
  const relay = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.proxiedBrokers, installation),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  await relay.ready()
  await insertRows(database.pool, [{}])
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  kafka.proxy.disturb('EndTxn', { kind: 'cut_after' })
  const trace = makeTrace()
  await insertRows(database.pool, [{ traceparent: trace.traceparent }])
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  const spans = await waitFor(() => {
    const failed = collector.spans.filter((span) => span.failed)
    expect(failed.length).toBe(1)
    return failed
  })
  expect(spans).toMatchObject([{ traceId: trace.traceId, attributes: { 'error.type': 'outcome_unknown' } }])
  const line = relay.logs.split('\n').find((one) => one.includes('outcome unknown'))
  expect(JSON.parse(line ?? '')).toMatchObject({ trace_id: trace.traceId, span_id: spans[0]?.spanId })
}, 90_000)
