import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { loadEvents } from '../events/load-events.ts'
import { measureLatencies } from '../events/measure-events.ts'
import { watchTopic } from '../events/watch-topic.ts'
import { seedOutbox, writeMarkedRow } from '../ledger/seed-outbox.ts'
import { EVENTS_TABLE } from '../ledger/verify-ledger.ts'
import { readPeakMb, watchUsage } from '../measure/process-usage.ts'
import { type Engines, openEngines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import { type BenchDeps, type Measurement, once, type Suite } from '../suite.ts'
import { until } from './until.ts'

const USERS = 1_000
const RATES = [200, 600]
const DRAIN_TIMEOUT_MS = 300_000
const DRAIN_POLL_MS = 20
const TICK_MS = 1
const PUBLISH_TIMEOUT_MS = 30_000
const PUBLISH_POLL_MS = 100

/** The relay by itself: how fast a full outbox drains, and how soon a single event is seen. */
export const runRelay: Suite = async (deps, report) => {
  await using engines = await openEngines(deps, { kafka: true })
  report(await measureDrain(deps, engines))
  for (const rate of RATES) report(await measureLatency(deps, engines, rate))
}

async function measureDrain(deps: BenchDeps, engines: Engines): Promise<Measurement> {
  await using installation = await openInstallation(deps, engines)
  const { pool, topic } = installation
  const rows = deps.pace.relay.drainRows
  await seedOutbox(installation, { rows, users: USERS })
  await pool.query('checkpoint')
  deps.screen.progress(`${rows.toLocaleString('en')} rows wait in the outbox`)

  const relay = await installation.start('relay')
  const readyAt = performance.now()
  const bounds = { timeoutMs: DRAIN_TIMEOUT_MS, intervalMs: DRAIN_POLL_MS, signal: deps.signal }
  await until(() => hasBegun(pool), { what: 'the relay has begun', ...bounds })
  const startedAt = performance.now()
  const usage = watchUsage(installation.watched())
  await until(() => isDrained(pool), { what: 'the outbox is drained', ...bounds })
  const seconds = (performance.now() - startedAt) / 1_000
  const used = usage.stop() ?? []
  deps.screen.progress(`drained in ${seconds.toFixed(1)} s, ${Math.round(rows / seconds).toLocaleString('en')}/s`)

  await using watch = await watchTopic(deps, { brokers: engines.kafka?.brokers ?? '', topic })
  await loadEvents(pool, await watch.finish())
  return {
    ...{ suite: 'relay', name: 'drain', usage: used },
    figures: [once('rate', '/s', rows / seconds), once('peak memory', 'MB', readPeakMb(relay.pid))],
    notes: [
      `${rows.toLocaleString('en')} rows, begun ${((startedAt - readyAt) / 1_000).toFixed(1)} s after the relay was ready`,
    ],
    failures: [...installation.failures(), ...(await findFaults(pool, rows))],
  }
}

/** The first batch is named. */
async function hasBegun(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ begun: boolean }>('select bool_or(batch_seq > 0) as begun from relay_partitions')
  return rows[0]?.begun === true
}

/**
 * Every lane has published and no batch is open, which is when the last rows are deleted. Asked of a dozen rows: a count
 * of the outbox would wade through all that was deleted, on the core that the relay needs.
 */
async function isDrained(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ drained: boolean }>(
    'select bool_and(batch_seq > 0 and batch_id is null) as drained from relay_partitions',
  )
  if (!rows[0]?.drained) return false
  const { rows: left } = await pool.query<{ waiting: boolean }>('select exists (select from outbox) as waiting')
  return left[0]?.waiting === false
}

/** Each row once, and each user's in the order in which they were written. */
async function findFaults(pool: pg.Pool, rows: number): Promise<string[]> {
  const { rows: found } = await pool.query<{ seen: number; distinct: number; disorder: number }>(
    `select count(*)::int as seen, count(distinct transaction_id)::int as distinct,
            count(*) filter (where transaction_id < before)::int as disorder
       from (
         select transaction_id, lag(transaction_id) over (partition by transaction_id % $1 order by "offset") as before
           from bench.events
       ) events`,
    [USERS],
  )
  const { seen = 0, distinct = 0, disorder = 0 } = found[0] ?? {}
  return [
    ...(distinct === rows ? [] : [`${rows - distinct} of ${rows} rows were never published`]),
    ...(seen === distinct ? [] : [`${seen - distinct} rows were published twice`]),
    ...(disorder === 0 ? [] : [`${disorder} rows were published out of order`]),
  ]
}

async function measureLatency(deps: BenchDeps, engines: Engines, rate: number): Promise<Measurement> {
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
  // Every lane has had rows to publish, and none is behind, when the time begins that counts.
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
    failures: [...installation.failures(), ...(await findFaults(pool, written))],
  }
}

/** Open loop: each write when it is due, whether or not the one before has been committed; numbered from 1. */
async function writeAtRate(
  { signal }: BenchDeps,
  { rate, seconds }: { rate: number; seconds: number },
  write: (index: number) => Promise<void>,
): Promise<void> {
  const total = rate * seconds
  const startedAt = performance.now()
  const writes: Promise<void>[] = []
  while (writes.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * rate) + 1)
    while (writes.length < due) writes.push(write(writes.length + 1))
    await delay(TICK_MS, undefined, { signal })
  }
  await Promise.all(writes)
}
