import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, type OtlpSpan, waitFor } from '@streamledger/testkit'
import { makeCaller, renderTrace, test } from './traced-system.ts'

const DOCUMENT = resolve(import.meta.dirname, '../../../docs/tracing.md')
const byName = (spans: readonly OtlpSpan[], name: string): OtlpSpan => {
  const found = spans.filter((span) => span.name === name)
  expect(found.length, `spans named ${name}`).toBe(1)
  return found[0] as OtlpSpan
}

test("one trace joins the caller's span with the request, the posting, the record in Kafka and the export's job", async ({
  startCollector,
  startSystem,
  kafka,
}) => {
  const collector = await startCollector()
  const { topic, call, services } = await startSystem({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20of-the-collector,x-tenant=ledger',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  })
  const caller = makeCaller()
  const headers = { traceparent: caller.traceparent, tracestate: 'vendor=opaque' }
  const credit = { entry: 'credit', amount: 98_765_432, trans_id: 'salary of September' }
  expect(await call('POST', '/transactions', { body: credit, headers })).toMatchObject({ status: 201 })
  expect(await call('POST', '/transactions/export', { body: {}, headers })).toMatchObject({ status: 202 })

  const [record] = await kafka.readAll(topic, { count: 1 })
  const spans = await waitFor(() => {
    const ours = collector.spans.filter(({ traceId }) => traceId === caller.traceId)
    expect(ours.length).toBe(6)
    return ours
  })

  const create = byName(spans, `create ${topic}`)
  expect(record?.headers).toMatchObject({
    traceparent: `00-${caller.traceId}-${create.spanId}-01`,
    tracestate: 'vendor=opaque',
  })
  const send = byName(spans, `send ${topic}`)
  expect(send.parentSpanId).toBe(create.spanId)
  expect(send.attributes).toMatchObject({
    'messaging.destination.partition.id': String(record?.partition),
    'messaging.kafka.offset': record?.offset,
    'messaging.batch.message_count': 1,
    'streamledger.batch_id': record?.headers.streamledger_batch,
  })
  const request = byName(spans, 'POST /api/v1/transactions')
  expect(request.parentSpanId).toBe(caller.spanId)
  expect(request.attributes).toMatchObject({ 'http.route': '/api/v1/transactions', 'http.response.status_code': 201 })
  expect(request.resource).toMatchObject({ 'deployment.environment.name': 'test' })
  expect(byName(spans, 'process export_transactions').attributes).toMatchObject({
    'streamledger.outcome': 'succeeded',
    'streamledger.job_attempt': 1,
  })
  expect(spans.filter(({ failed }) => failed)).toEqual([])
  for (const { traceState, startNs, endNs } of spans) {
    expect(traceState).toBe('vendor=opaque')
    expect(endNs).toBeGreaterThanOrEqual(startNs)
  }

  // The page that explains it shows what was seen here.
  expect(readFileSync(DOCUMENT, 'utf8')).toContain(renderTrace(spans, caller.spanId, topic))

  // The log leads to the trace.
  const exported = await waitFor(() => {
    const lines = services.exporter.logs.split('\n').filter((line) => line.includes('export succeeded'))
    expect(lines.length).toBe(1)
    return JSON.parse(lines[0] as string)
  })
  expect(exported).toMatchObject({
    trace_id: caller.traceId,
    span_id: byName(spans, 'process export_transactions').spanId,
  })

  // Spans contain no data of users, and no secret headers of the collector.
  const sent = JSON.stringify(
    collector.requests.flatMap((one) => one.spans).map((span) => ({ ...span, startNs: 0, endNs: 0 })),
  )
  for (const private_ of ['example.com', 'Ada', '98765432', '987654.32', 'September', 'of-the-collector']) {
    expect(sent).not.toContain(private_)
  }
  expect(collector.requests.every((one) => one.path === '/v1/traces')).toBe(true)
  expect(collector.requests[0]?.headers).toMatchObject({
    authorization: 'Bearer of-the-collector',
    'x-tenant': 'ledger',
  })
  for (const { logs } of Object.values(services)) expect(logs).not.toContain('of-the-collector')
}, 60_000)
