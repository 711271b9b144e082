import { createLogger, createRegistry } from '@streamledger/runtime'
import { type CollectorMood, expect, type OwnCollector, test, waitFor } from '@streamledger/testkit'
import type { Registry } from 'prom-client'
import { startTracing, type Tracing } from '../src/index.ts'

const WAITING_MAX = 2_048
const BATCH_MAX = 512
const logger = createLogger({ service: 'test', level: 'silent' })

interface Traced {
  tracing: Tracing
  counts(): Promise<Record<string, number>>
}

async function trace({ endpoint }: OwnCollector): Promise<Traced> {
  const registry = createRegistry('test')
  const config = {
    ...{ url: `${endpoint}/v1/traces`, headers: {}, serviceName: 'test', resource: {} },
    sampler: { name: 'always_on', ratio: 1 } as const,
  }
  const tracing = await startTracing(config, { service: 'test', logger, registry })
  if (!tracing) throw new Error('nothing is traced')
  return { tracing, counts: () => readCounts(registry) }
}

async function readCounts(registry: Registry): Promise<Record<string, number>> {
  const { values } = (await registry.getSingleMetric('streamledger_spans_total')?.get()) ?? { values: [] }
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels.outcome), value]))
}

function addSpans({ tracing }: Traced, count: number): void {
  for (let n = 0; n < count; n += 1) tracing.startSpan(`span ${n}`, { kind: 'internal', parent: undefined }).end()
}

test('spans go together, a moment after the first of them', async ({ startCollector }) => {
  const collector = await startCollector()
  const traced = await trace(collector)
  addSpans(traced, 3)
  await waitFor(async () => expect(await traced.counts()).toEqual({ sent: 3, failed: 0, dropped: 0 }))
  expect(collector.requests.map(({ spans }) => spans.map(({ name }) => name))).toEqual([['span 0', 'span 1', 'span 2']])
})

test('a collector that takes nothing has a bounded number of spans wait, and the rest dropped and counted', async ({
  startCollector,
}) => {
  const collector = await startCollector()
  collector.mood = 'silent'
  const traced = await trace(collector)
  // The first full request leaves at once; what comes meanwhile waits for its answer.
  addSpans(traced, BATCH_MAX)
  await waitFor(() => collector.requests.length === 1)
  addSpans(traced, WAITING_MAX + 7)
  expect(await traced.counts()).toEqual({ sent: 0, failed: 0, dropped: 7 })
  // The collector answers again: waiting spans are sent, and only those of the unanswered request are lost.
  collector.mood = 'taking'
  await waitFor(
    async () => expect(await traced.counts()).toEqual({ sent: WAITING_MAX, failed: BATCH_MAX, dropped: 7 }),
    {
      timeoutMs: 20_000,
    },
  )
  expect(collector.spans.length).toBe(WAITING_MAX)
}, 30_000)

for (const mood of ['refusing', 'overloaded', 'silent', 'trickling'] satisfies CollectorMood[]) {
  test(`a collector that is ${mood} costs its spans, and the next ones are sent when it is well`, async ({
    startCollector,
  }) => {
    const collector = await startCollector()
    collector.mood = mood
    const traced = await trace(collector)
    addSpans(traced, 2)
    await waitFor(async () => expect(await traced.counts()).toEqual({ sent: 0, failed: 2, dropped: 0 }), {
      timeoutMs: 20_000,
    })
    collector.mood = 'taking'
    addSpans(traced, 1)
    await waitFor(async () => expect(await traced.counts()).toEqual({ sent: 1, failed: 2, dropped: 0 }))
  }, 30_000)
}

test('a stop sends what there is', async ({ startCollector }) => {
  const collector = await startCollector()
  const traced = await trace(collector)
  addSpans(traced, BATCH_MAX + 1)
  await traced.tracing.close(performance.now() + 10_000)
  expect(collector.spans.length).toBe(BATCH_MAX + 1)
  expect(await traced.counts()).toEqual({ sent: BATCH_MAX + 1, failed: 0, dropped: 0 })
})

test('a stop waits half of the time that it has left for a collector that says nothing, and counts what never had its turn', async ({
  startCollector,
}) => {
  const collector = await startCollector()
  collector.mood = 'silent'
  const traced = await trace(collector)
  addSpans(traced, BATCH_MAX + 1)
  const startedAt = performance.now()
  await traced.tracing.close(startedAt + 1_000)
  const tookMs = performance.now() - startedAt
  expect(tookMs).toBeGreaterThanOrEqual(490)
  expect(tookMs).toBeLessThan(2_000) // the exporter's own patience is 5 s
  expect(await traced.counts()).toEqual({ sent: 0, failed: 0, dropped: 1 })
})
