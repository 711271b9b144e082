import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type ServiceProcess, waitFor } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { makeCaller, test } from './traced-system.ts'

/** A bundle would not tell which modules are loaded. */
const SOURCES = { bundled: false }

interface Coverage {
  result: { url: string }[]
}

/** A folder in which every process lists, when it exits, the scripts that it has loaded: V8 counts how often each function ran. */
async function watchScripts() {
  const folder = await mkdtemp(join(tmpdir(), 'scripts-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return {
    env: { NODE_V8_COVERAGE: folder },
    /** Of a process that has exited. */
    async readScripts({ pid }: ServiceProcess): Promise<string[]> {
      const file = (await readdir(folder)).find((name) => name.startsWith(`coverage-${pid}-`))
      const { result } = JSON.parse(await readFile(join(folder, file ?? 'no such file'), 'utf8')) as Coverage
      return result.map(({ url }) => url)
    },
  }
}

async function stop(service: ServiceProcess): Promise<void> {
  service.signal('SIGTERM')
  expect(await service.exited).toEqual({ code: 0, signal: null })
}

/** All but the interface package, which is nothing but no-ops: prom-client loads it by itself, to be able to tell exemplars. */
const isOpenTelemetry = (url: string): boolean =>
  url.includes('/@opentelemetry/') && !url.includes('/node_modules/@opentelemetry/api/')

test("without an endpoint no service loads OpenTelemetry's SDK, and a caller's trace goes through to record and log", async ({
  startSystem,
  kafka,
}) => {
  const { env, readScripts } = await watchScripts()
  const { topic, call, services } = await startSystem(env, SOURCES)
  const caller = makeCaller()
  const headers = { traceparent: caller.traceparent, tracestate: 'vendor=opaque' }
  const body = { entry: 'credit', amount: 5, trans_id: 'traced' }
  expect(await call('POST', '/transactions', { body, headers })).toMatchObject({ status: 201 })
  expect(await call('POST', '/transactions', { body: { ...body, trans_id: 'untraced' } })).toMatchObject({
    status: 201,
  })
  expect(await call('POST', '/transactions/export', { body: {}, headers })).toMatchObject({ status: 202 })
  const records = await kafka.readAll(topic, { count: 2 })
  expect(records.map((record) => record.headers)).toMatchObject([headers, {}])
  expect(records[1]?.headers).not.toHaveProperty('traceparent')
  await waitFor(() => services.exporter.logs.includes('export succeeded'))
  const line = services.exporter.logs.split('\n').find((one) => one.includes('export succeeded')) ?? ''
  expect(JSON.parse(line)).toMatchObject({ trace_id: caller.traceId, span_id: caller.spanId })

  for (const service of Object.values(services)) {
    await stop(service)
    const scripts = await readScripts(service)
    expect(scripts.filter((url) => url.endsWith('/packages/tracing/src/start-tracing.ts')).length).toBe(1)
    expect(scripts.filter(isOpenTelemetry)).toEqual([])
  }
}, 90_000)

test('with an endpoint each does, or the test above would show nothing', async ({ startSystem, startCollector }) => {
  const { env, readScripts } = await watchScripts()
  const { endpoint } = await startCollector()
  const { services } = await startSystem({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, SOURCES)
  for (const service of Object.values(services)) {
    await stop(service)
    expect((await readScripts(service)).some(isOpenTelemetry)).toBe(true)
  }
}, 90_000)
