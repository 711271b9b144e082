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
  const installation = await makeInstallation(database.db, 1)
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
  const installation = await makeInstallation(database.db, 1)
  const collector = await startCollector()
  const rows = SPANS_PER_BATCH_MAX + 30
  await insertRows(
    database.pool,
    Array.from({ length: rows }, () => ({ traceparent: makeTrace().traceparent })),
  )
  const relay = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.brokers, installation),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  await relay.ready()
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  await waitFor(async () => (await readMetric(relay, 'streamledger_spans_total')) === rows)
  expect(collector.spans.length).toBe(SPANS_PER_BATCH_MAX)
}, 60_000)
