import { findFaults } from '../events/find-faults.ts'
import { loadEvents } from '../events/load-events.ts'
import { measureLatencies } from '../events/measure-events.ts'
import { watchTopic } from '../events/watch-topic.ts'
import { writeMarkedRow } from '../ledger/seed-outbox.ts'
import { EVENTS_TABLE } from '../ledger/verify-ledger.ts'
import { watchUsage } from '../measure/process-usage.ts'
import type { Engines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import { type BenchDeps, type Measurement, once } from '../suite.ts'
import { until } from './until.ts'
import { writeAtRate } from './write-at-rate.ts'

const USERS = 1_000
const PUBLISH_TIMEOUT_MS = 30_000
const PUBLISH_POLL_MS = 100

/** Time until a consumer sees a row, with one row per commit. */
export async function measureLatency(deps: BenchDeps, engines: Engines, rate: number): Promise<Measurement> {
  await using installation = await openInstallation(deps, engines)
  const { pool, topic } = installation
  await pool.query(EVENTS_TABLE)
  await pool.query('create table bench.marks (id bigint not null)')
  await installation.start('relay')
  await using watch = await watchTopic(deps, { brokers: engines.kafka?.brokers ?? '', topic })

  const { latencyS, latencyWarmUpS } = deps.pace.relay
  const bounds = { timeoutMs: PUBLISH_TIMEOUT_MS, intervalMs: PUBLISH_POLL_MS, signal: deps.signal }
  let written = 0
  const writeFor = async (seconds: number) => {
    const from = written
    written += rate * seconds
    const write = (index: number) => writeMarkedRow(installation, { id: from + index, users: USERS })
    await writeAtRate(deps, { rate, seconds }, write)
    await until(() => watch.seen() >= written, { what: 'every row is published', ...bounds })
  }
  // Warm-up: when the measured time begins, all lanes have published rows and none is behind.
  await writeFor(latencyWarmUpS)
  const usage = watchUsage([...installation.watched(), watch.watched])
  const fromMs = Date.now()
  await writeFor(latencyS)
  const used = usage.stop() ?? []
  await loadEvents(pool, await watch.finish())
  const latencies = await measureLatencies(pool, 'bench.marks', { fromMs, toMs: fromMs + latencyS * 1_000 })
  const { events, p50_ms, p90_ms, p99_ms } = latencies
  const name = `latency at ${rate}/s`
  deps.screen.progress(`${name}: p50 ${p50_ms.toFixed(1)} ms, p99 ${p99_ms.toFixed(1)} ms`)
  return {
    ...{ suite: 'relay', name, usage: used },
    figures: [once('p50', 'ms', p50_ms), once('p90', 'ms', p90_ms), once('p99', 'ms', p99_ms)],
    notes: [`${events.toLocaleString('en')} events, one commit each`],
    failures: [...installation.failures(), ...(await findFaults(pool, { rows: written, users: USERS }))],
  }
}
