import type pg from 'pg'
import { findFaults } from '../events/find-faults.ts'
import { loadEvents } from '../events/load-events.ts'
import { watchTopic } from '../events/watch-topic.ts'
import { writeMarkedRow } from '../ledger/seed-outbox.ts'
import { EVENTS_TABLE } from '../ledger/verify-ledger.ts'
import type { Engines } from '../stack/open-engines.ts'
import { type Installation, openInstallation } from '../stack/open-installation.ts'
import type { ServiceHandle } from '../stack/spawn-service.ts'
import { type BenchDeps, type Measurement, once } from '../suite.ts'
import { until } from './until.ts'
import { writeAtRate } from './write-at-rate.ts'

const USERS = 1_000
/** Each of twelve partitions gets a row every 60 ms, which is the resolution of the figure. */
const RATE = 200
const TIMEOUT_MS = 60_000
const POLL_MS = 50

/** One of two replicas is killed: time until its partitions show new rows again. */
export async function measureTakeOver(deps: BenchDeps, engines: Engines): Promise<Measurement> {
  return measureKill(deps, engines, {
    name: 'take-over',
    replicas: 2,
    afterKill: async () => Date.now(),
  })
}

/** The only replica is killed and restarted: time from its readiness until all partitions show new rows. */
export async function measureRestart(deps: BenchDeps, engines: Engines): Promise<Measurement> {
  return measureKill(deps, engines, {
    name: 'restart',
    replicas: 1,
    afterKill: async (installation) => {
      await installation.start('relay')
      return Date.now()
    },
  })
}

interface Kill {
  name: string
  replicas: number
  /** Returns the start of the measured time. */
  afterKill(installation: Installation): Promise<number>
}

async function measureKill(deps: BenchDeps, engines: Engines, kill: Kill): Promise<Measurement> {
  await using installation = await openInstallation(deps, engines)
  const { pool, topic } = installation
  await pool.query(EVENTS_TABLE)
  await pool.query('create table bench.marks (id bigint not null)')
  const relays: ServiceHandle[] = []
  for (let number = 0; number < kill.replicas; number += 1) relays.push(await installation.start('relay'))
  await using watch = await watchTopic(deps, { brokers: engines.kafka?.brokers ?? '', topic })
  const bounds = { timeoutMs: TIMEOUT_MS, intervalMs: POLL_MS, signal: deps.signal }
  await until(() => isShared(pool, kill.replicas), { what: 'the partitions are shared', ...bounds })

  const { killAfterS, killRunS } = deps.pace.relay
  let killed: { atMs: number; fromMs: number } | undefined
  const killing = until(() => watch.seen() >= RATE * killAfterS, { what: 'rows flow', ...bounds }).then(async () => {
    await relays[0]?.kill()
    const atMs = Date.now()
    killed = { atMs, fromMs: await kill.afterKill(installation) }
  })
  const written = RATE * killRunS
  const write = (id: number) => writeMarkedRow(installation, { id, users: USERS })
  await Promise.all([writeAtRate(deps, { rate: RATE, seconds: killRunS }, write), killing])
  await until(() => watch.seen() >= written, { what: 'every row is published', ...bounds })
  await loadEvents(pool, await watch.finish())
  const { atMs = Number.NaN, fromMs = Number.NaN } = killed ?? {}
  const flowingAtMs = await findFlow(pool, atMs)
  const seconds = Math.max(0, flowingAtMs - fromMs) / 1_000
  deps.screen.progress(`${kill.name}: flowing again after ${seconds.toFixed(1)} s`)
  return {
    ...{ suite: 'relay', name: kill.name, usage: [] },
    figures: [once('flowing again', 's', seconds)],
    notes: [`${((flowingAtMs - atMs) / 1_000).toFixed(1)} s after the kill, at ${RATE} rows a second`],
    failures: [...installation.failures(), ...(await findFaults(pool, { rows: written, users: USERS }))],
  }
}

/** True when all partitions are leased, in fair shares. */
export async function isShared(pool: pg.Pool, replicas: number): Promise<boolean> {
  const { rows } = await pool.query<{ shared: boolean }>(
    `select count(distinct lease_owner) = $1 and count(lease_owner) = count(*) and max(held) - min(held) <= 1 as shared
       from (select lease_owner, count(*) over (partition by lease_owner) as held from relay_partitions) leases`,
    [replicas],
  )
  return rows[0]?.shared === true
}

/** The time at which each partition had shown a row that was committed after `atMs`. */
async function findFlow(pool: pg.Pool, atMs: number): Promise<number> {
  const { rows } = await pool.query<{ flowing: number }>(
    `select max(first_ms) as flowing from (
       select min(e.seen_at_ms) as first_ms
         from bench.marks m join bench.events e on e.transaction_id = m.id
        where extract(epoch from pg_xact_commit_timestamp(m.xmin)) * 1000 > $1
        group by e.partition
     ) flows`,
    [atMs],
  )
  return rows[0]?.flowing ?? Number.NaN
}
