import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { loadEvents } from '../events/load-events.ts'
import { countDisorder, measureLatencies, measureRates, type Window } from '../events/measure-events.ts'
import { type TopicWatch, watchTopic } from '../events/watch-topic.ts'
import { seedUsers } from '../ledger/seed-users.ts'
import { describeFaults, verifyLedger } from '../ledger/verify-ledger.ts'
import { describe, failuresOf } from '../load/measure-load.ts'
import { postWorkload } from '../load/post-workload.ts'
import { runClosedLoop } from '../load/run-load.ts'
import { watchUsage } from '../measure/process-usage.ts'
import { type Point, slopeOf, spreadOf } from '../measure/statistics.ts'
import { type Engines, openEngines } from '../stack/open-engines.ts'
import { type Installation, openInstallation } from '../stack/open-installation.ts'
import { type BenchDeps, type Measurement, once, type Suite } from '../suite.ts'
import { until } from './until.ts'

const USERS = 1_000
const CONNECTIONS = [64, 256]
const BACKLOG_INTERVAL_MS = 500
/** Enough for any backlog: at the relay's goal of 60,000 rows per second it covers 7 million rows. */
const CATCH_UP_TIMEOUT_MS = 120_000
const CATCH_UP_POLL_MS = 200

/** All services on one machine: events must be published at the rate of postings. */
export const runSystem: Suite = async (deps, report) => {
  await using engines = await openEngines(deps, { kafka: true })
  for (const connections of CONNECTIONS) report(await measureSystem(deps, engines, connections))
}

async function measureSystem(deps: BenchDeps, engines: Engines, connections: number): Promise<Measurement> {
  await using installation = await openInstallation(deps, engines)
  const { pool, topic } = installation
  const users = await seedUsers(installation, USERS)
  for (const service of ['relay', 'exporter'] as const) await installation.start(service)
  const api = await installation.start('api')
  await using watch = await watchTopic(deps, { brokers: engines.kafka?.brokers ?? '', topic })
  await untilPublished(deps, installation, watch)
  await pool.query('checkpoint')

  const { warmUpS, runS, sliceS } = deps.pace.system
  const workload = postWorkload(installation, users, { choice: 'uniform' })
  await runClosedLoop(deps.load, { url: api.url, workload, connections, seconds: warmUpS })
  const usage = watchUsage([...installation.watched(), watch.watched])
  const backlog = watchBacklog(pool, watch, deps.signal)
  const fromMs = Date.now()
  const load = await runClosedLoop(deps.load, { url: api.url, workload, connections, seconds: runS })
  const window = { fromMs, toMs: fromMs + runS * 1_000 }
  const [points, used] = [await backlog.stop(), usage.stop() ?? []]
  deps.screen.progress(`system, ${connections}: ${describe(load)} as answered`)

  await untilPublished(deps, installation, watch)
  await loadEvents(pool, await watch.finish())
  const rates = await measureRates(pool, window, sliceS)
  const ledger = await checkLedger(pool)
  return {
    ...{ suite: 'system', name: `system, ${connections}`, usage: used },
    figures: [
      { name: 'rate', unit: '/s', ...spreadOf(rates) },
      ...(await measurePublishing(pool, window)),
      once('answered p99', 'ms', load.p99_ms),
      once('backlog growth', '%', growthOf(points, spreadOf(rates).median)),
    ],
    notes: [`backlog ${describeBacklog(points)}`, ...ledger.notes],
    failures: [...installation.failures(), ...failuresOf(load), ...ledger.failures],
  }
}

async function measurePublishing(pool: pg.Pool, window: Window) {
  const { p50_ms, p99_ms } = await measureLatencies(pool, 'transactions', window)
  return [once('published p50', 'ms', p50_ms), once('published p99', 'ms', p99_ms)]
}

/** Adds the wallets' sequences, which count their transactions: a thousand rows, for any size of the ledger. */
async function countPosted(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ posted: number }>('select sum(sequence)::bigint as posted from wallets')
  return rows[0]?.posted ?? 0
}

/** Samples, until stopped, the number of committed transactions that the consumer has not seen. */
function watchBacklog(pool: pg.Pool, watch: TopicWatch, signal: AbortSignal) {
  const points: Point[] = []
  const stopped = new AbortController()
  const either = AbortSignal.any([signal, stopped.signal])
  const sampling = (async () => {
    while (!either.aborted) {
      points.push({ x: performance.now() / 1_000, y: (await countPosted(pool)) - watch.seen() })
      await delay(BACKLOG_INTERVAL_MS, undefined, { signal: either }).catch(() => {})
    }
  })()
  return {
    stop: async () => {
      stopped.abort()
      await sampling
      return points
    },
  }
}

/** Growth of the backlog in percent of the postings; 0 if it shrinks. */
function growthOf(points: readonly Point[], rate: number): number {
  return (100 * Math.max(0, slopeOf(points))) / rate
}

function describeBacklog(points: readonly Point[]): string {
  const { median, max } = spreadOf(points.map(({ y }) => y))
  return `${Math.round(median).toLocaleString('en')} rows, ${Math.round(max).toLocaleString('en')} at most`
}

async function untilPublished({ signal }: BenchDeps, { pool }: Installation, watch: TopicWatch): Promise<void> {
  const isPublished = async () => {
    if (watch.seen() < (await countPosted(pool))) return false
    const { rows } = await pool.query<{ waiting: boolean }>('select exists (select from outbox) as waiting')
    return rows[0]?.waiting === false
  }
  const bounds = { timeoutMs: CATCH_UP_TIMEOUT_MS, intervalMs: CATCH_UP_POLL_MS, signal }
  await until(isPublished, { what: 'all rows are published', ...bounds })
}

async function checkLedger(pool: pg.Pool) {
  const { transactions, faults } = await verifyLedger(pool)
  const disorder = await countDisorder(pool)
  return {
    notes: [`${transactions.toLocaleString('en')} transactions and events verified`],
    failures: [
      ...describeFaults(faults),
      ...(disorder > 0 ? [`${disorder} events were seen out of their wallet's order`] : []),
    ],
  }
}
