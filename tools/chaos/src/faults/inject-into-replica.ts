import { setTimeout as delay } from 'node:timers/promises'
import type { PlannedFault } from '../schedule/draw-schedule.ts'
import type { Replica } from '../stack/replica.ts'
import { awaitExport, awaitMidBatch } from './await-moment.ts'
import { type FaultDeps, type Inject, RECOVERY_MAX_MS } from './effect.ts'

const LEASES_WAIT_MAX_MS = 5_000
const EXPIRY_WAIT_MAX_MS = 10_000
const POLL_MS = 100

function replicaOf({ victims }: PlannedFault, { stack }: FaultDeps): Replica {
  const replica = stack.replicas.get(victims[0] ?? '')
  if (!replica) throw new Error(`there is no ${victims[0]}`)
  return replica
}

/** Kills a replica and restarts it after a delay. */
async function kill(replica: Replica, { lasts_ms }: PlannedFault, { signal }: FaultDeps): Promise<boolean> {
  const gone = await replica.kill()
  await delay(lasts_ms, undefined, { signal })
  await replica.start()
  await replica.untilReady(RECOVERY_MAX_MS, signal)
  return gone
}

interface Pause {
  /** The process was stopped all the time. */
  held: boolean
  /** The result of `ask`, right before the process continued. */
  found: boolean
}

/** Pauses a replica for a while; calls `ask` right before it continues. */
async function pause(
  replica: Replica,
  { lasts_ms }: PlannedFault,
  { signal, ask = async () => true }: { signal: AbortSignal; ask?: () => Promise<boolean> },
): Promise<Pause> {
  const stopped = await replica.pause()
  try {
    await delay(lasts_ms, undefined, { signal })
    const found = await ask()
    return { held: stopped && replica.resume(), found }
  } finally {
    replica.resume() // also when all is being stopped
  }
}

export const killRelay: Inject = async (fault, deps) => {
  const replica = replicaOf(fault, deps)
  const leases = await awaitLeases(replica, deps)
  return { confirmed: await kill(replica, fault, deps), detail: `it held ${leases} leases` }
}

export const pauseRelay: Inject = async (fault, deps) => {
  const replica = replicaOf(fault, deps)
  const leases = await awaitLeases(replica, deps)
  const ask = () => awaitExpiry(replica, deps)
  const { held, found } = await pause(replica, fault, { signal: deps.signal, ask })
  const past = found ? 'all had run out before it went on' : 'some may not have run out'
  return { confirmed: held && found && leases > 0, detail: `it held ${leases} leases, ${past}` }
}

export const killApi: Inject = async (fault, deps) => {
  const replica = replicaOf(fault, deps)
  const underWay = await awaitMidBatch(replica.name, deps)
  const gone = await kill(replica, fault, deps)
  return { confirmed: gone && underWay > 0, detail: `${underWay} requests under way` }
}

export const pauseApi: Inject = async (fault, deps) => {
  const replica = replicaOf(fault, deps)
  const underWay = await awaitMidBatch(replica.name, deps)
  const { held } = await pause(replica, fault, deps)
  return { confirmed: held && underWay > 0, detail: `${underWay} requests under way` }
}

export const killExporter: Inject = async (fault, deps) => {
  const running = await awaitExport(deps)
  return { confirmed: await kill(replicaOf(fault, deps), fault, deps), detail: `${running} exports running` }
}

export const pauseExporter: Inject = async (fault, deps) => {
  const running = await awaitExport(deps)
  const { held } = await pause(replicaOf(fault, deps), fault, deps)
  return { confirmed: held, detail: `${running} exports running` }
}

/** Waits until a relay holds leases; returns how many. */
async function awaitLeases(replica: Replica, deps: FaultDeps): Promise<number> {
  const deadline = performance.now() + LEASES_WAIT_MAX_MS
  for (;;) {
    const leases = await countLeases(replica, deps)
    if (leases || performance.now() > deadline) return leases ?? 0
    await delay(POLL_MS, undefined, { signal: deps.signal })
  }
}

/** Keeps a relay stopped until the database, which may be down, shows that it has no lease left. */
async function awaitExpiry(replica: Replica, deps: FaultDeps): Promise<boolean> {
  const deadline = performance.now() + EXPIRY_WAIT_MAX_MS
  while ((await countLeases(replica, deps)) !== 0) {
    if (performance.now() > deadline) return false
    await delay(POLL_MS, undefined, { signal: deps.signal })
  }
  return true
}

/** How many unexpired leases a relay has; undefined while the database does not say. */
async function countLeases(replica: Replica, { stack }: FaultDeps): Promise<number | undefined> {
  const instance = [...replica.readLog().matchAll(/"instance":"([0-9a-f-]{36})"/g)].at(-1)?.[1]
  if (!instance) return undefined
  try {
    const { rows } = await stack.pool.query<{ held: number }>(
      `select count(*)::int as held from relay_partitions where lease_owner = $1 and lease_expires_at > clock_timestamp()`,
      [instance],
    )
    return rows[0]?.held
  } catch {
    return undefined
  }
}
