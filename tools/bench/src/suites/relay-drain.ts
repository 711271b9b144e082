import type pg from 'pg'
import { findFaults } from '../events/find-faults.ts'
import { loadEvents } from '../events/load-events.ts'
import { watchTopic } from '../events/watch-topic.ts'
import { seedOutbox } from '../ledger/seed-outbox.ts'
import { readPeakMb, watchUsage } from '../measure/process-usage.ts'
import type { Engines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import { type BenchDeps, type Measurement, once } from '../suite.ts'
import { until } from './until.ts'

const USERS = 1_000
const DRAIN_TIMEOUT_MS = 300_000
const DRAIN_POLL_MS = 20

/** How fast a full outbox drains. */
export async function measureDrain(deps: BenchDeps, engines: Engines): Promise<Measurement> {
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
    failures: [...installation.failures(), ...(await findFaults(pool, { rows, users: USERS }))],
  }
}

/** The first batch is named. */
async function hasBegun(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ begun: boolean }>('select bool_or(batch_seq > 0) as begun from relay_partitions')
  return rows[0]?.begun === true
}

/**
 * True when all lanes have published and no batch is open, because then the last rows are deleted. It reads a dozen
 * rows: counting the outbox would scan all deleted rows, and take CPU from the relay.
 */
async function isDrained(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ drained: boolean }>(
    'select bool_and(batch_seq > 0 and batch_id is null) as drained from relay_partitions',
  )
  if (!rows[0]?.drained) return false
  const { rows: left } = await pool.query<{ waiting: boolean }>('select exists (select from outbox) as waiting')
  return left[0]?.waiting === false
}
