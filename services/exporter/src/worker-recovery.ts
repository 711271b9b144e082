import type { Db } from '@streamledger/db'
import { type Logger, sleep } from '@streamledger/runtime'
import { enterPool, leavePool, releaseDeadPools, releaseStrayJobs, renewPool } from './exporter-pools.ts'
import type { ExporterMetrics } from './metrics.ts'

export interface RecoveryDeps {
  db: Db
  /** Of graphile-worker. */
  poolId: string
  /** The jobs that this exporter is at, by their ids. */
  heldJobs: ReadonlyMap<string, unknown>
  metrics: Pick<ExporterMetrics, 'lost'>
  logger: Logger
  options: RecoveryOptions
}

export interface RecoveryOptions {
  /** How often to show that one lives, and to look for the dead, in ms. */
  heartbeatMs: number
  /** How long a pool must be silent to count as dead, in ms. */
  deadAfterMs: number
}

export interface WorkerRecovery {
  /** Rejects once others have taken this exporter for dead. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** Shows that this exporter lives, and frees what dead ones hold: graphile-worker does so only after four hours. */
export async function startWorkerRecovery(deps: RecoveryDeps): Promise<WorkerRecovery> {
  const { db, poolId, logger } = deps
  await enterPool(db, poolId)
  const stopping = new AbortController()
  const ended = runRecovery(deps, stopping.signal)
  ended.catch(() => undefined) // whoever asks for it hears of it
  return {
    ended,
    async stop() {
      stopping.abort()
      await ended.catch(() => undefined)
      // It would be taken for dead a little later, and that does no harm.
      await leavePool(db, poolId).catch((error) => logger.warn({ err: error }, 'this exporter was not signed off'))
    },
  }
}

async function runRecovery(deps: RecoveryDeps, signal: AbortSignal): Promise<void> {
  const { logger, options } = deps
  let watch: Watch = { sinceMs: performance.now(), lastMs: performance.now() }
  while (!signal.aborted) {
    await sleep(options.heartbeatMs, signal)
    if (signal.aborted) return
    try {
      watch = await recoverOnce(deps, watch)
    } catch (error) {
      if (error instanceof TakenForDeadError) throw error
      logger.warn({ err: error }, 'a heartbeat failed')
    }
  }
}

/** For how long this exporter's own heartbeats have come through. */
interface Watch {
  sinceMs: number
  lastMs: number
}

/** One heartbeat, and one look at the others'. */
async function recoverOnce(deps: RecoveryDeps, watch: Watch): Promise<Watch> {
  const { db, poolId, heldJobs, metrics, logger, options } = deps
  if (!(await renewPool(db, poolId))) throw new TakenForDeadError()
  const astray = await releaseStrayJobs(db, poolId, { heldJobs, afterMs: options.deadAfterMs })
  if (astray.length > 0) logger.warn({ jobs: astray }, 'jobs were taken that no worker heard of, they are free again')
  const nowMs = performance.now()
  // After an outage of the database everybody's heartbeat is old, and nobody is dead: only silence that this exporter
  // has watched from its beginning to its end counts.
  const broken = nowMs - watch.lastMs > 2 * options.heartbeatMs
  const next = { sinceMs: broken ? nowMs : watch.sinceMs, lastMs: nowMs }
  if (nowMs - next.sinceMs < options.deadAfterMs) return next
  const dead = await releaseDeadPools(db, poolId, options.deadAfterMs)
  if (dead.length > 0) {
    metrics.lost.inc(dead.length)
    logger.warn({ pools: dead }, 'exporters are dead, their jobs are free again')
  }
  return next
}

class TakenForDeadError extends Error {
  override name = 'TakenForDeadError'
  constructor() {
    super('this exporter was silent for so long that others have taken it for dead')
  }
}
