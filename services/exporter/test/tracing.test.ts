import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { expect, test, waitFor } from '@streamledger/testkit'
import { makeHistory } from './make-history.ts'
import { hurryJob, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { makeExportDir } from './run-exporter.ts'
import { spawnExporter } from './spawn-exporter.ts'

const makeTrace = () => {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` }
}

test('each attempt at an export has a span in the trace of who ordered it, and the log leads there', async ({
  database: { db, url },
  spawnService,
  startCollector,
}) => {
  const collector = await startCollector()
  const dir = await makeExportDir()
  const env = { DATABASE_URL: url, EXPORT_DIR: dir, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
  const { process } = await spawnExporter(spawnService, env)
  await rm(dir, { recursive: true })
  const { traceId, spanId, traceparent } = makeTrace()
  const id = await orderExport(db, await makeHistory(db, 3), { trace: { traceparent } })
  await waitFor(async () => {
    const job = await readJob(db, id)
    return job?.attempts === 1 && job.locked_by === null
  })
  await mkdir(dir)
  await hurryJob(db, id)
  await waitForExport(db, id, ({ status }) => status === 'succeeded')
  process.signal('SIGTERM')
  expect(await process.exited).toEqual({ code: 0, signal: null })

  const [failed, succeeded, ...others] = collector.spans
  expect(others).toEqual([])
  const common = { traceId, parentSpanId: spanId, kind: 'consumer', name: 'process export_transactions' }
  expect(failed).toMatchObject({
    ...common,
    failed: true,
    attributes: {
      'streamledger.job_attempt': 1,
      'streamledger.outcome': 'retried',
      'error.type': 'storage_unavailable',
      'streamledger.export_id': id,
    },
  })
  expect(succeeded).toMatchObject({
    ...common,
    failed: false,
    attributes: { 'streamledger.job_attempt': 2, 'streamledger.outcome': 'succeeded', 'streamledger.export_id': id },
  })
  const lines = process.logs.split('\n').filter((line) => line.includes(`"export_id":"${id}"`))
  const ids = lines.map((line) => JSON.parse(line)).map(({ trace_id, span_id }) => ({ trace_id, span_id }))
  expect(ids).toEqual([failed, succeeded].map((span) => ({ trace_id: traceId, span_id: span?.spanId })))
})

test.for([
  ['an older API, which knows of no traces', {}],
  ['whoever writes nonsense', { traceparent: '00-nonsense-01', tracestate: '\n' }],
] as const)('a job of %s is done without a trace of its own', async ([, trace], { database, spawnService }) => {
  const { db, url } = database
  const dir = await makeExportDir()
  const { process } = await spawnExporter(spawnService, { DATABASE_URL: url, EXPORT_DIR: dir })
  const id = await orderExport(db, await makeHistory(db, 1), { trace })
  expect(await waitForExport(db, id, ({ status }) => status === 'succeeded')).toMatchObject({ rows_done: 1 })
  await waitFor(() => process.logs.includes('export succeeded'))
  expect(process.logs).not.toContain('trace_id')
  expect(await readExport(db, id)).toMatchObject({ error: null })
})
