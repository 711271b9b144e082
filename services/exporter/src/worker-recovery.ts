import type { Db } from '@streamledger/db'
import { type Logger, sleep } from '@streamledger/runtime'
import { enterPool, leavePool, releaseDeadPools, releaseStrayJobs, renewPool } from './exporter-pools.ts'
import type { ExporterMetrics } from './metrics.ts'

export interface RecoveryDeps {
  db: Db
  /** The id of graphile-worker's pool. */
  poolId: string
  /** The jobs that this exporter is running, by id. */
  heldJobs: ReadonlyMap<string, unknown>
  /** The tasks of exporters: other programs may have graphile-worker's tables in the same database. */
  taskNames: readonly string[]
  metrics: Pick<ExporterMetrics, 'lost'>
  logger: Logger
  options: RecoveryOptions
}

interface RecoveryOptions {
  /** Interval of the heartbeat and of the check for dead pools. */
  heartbeatMs: number
  /** Time without a heartbeat after which a pool counts as dead. */
  deadAfterMs: number
}

export interface WorkerRecovery {
  /** Rejects once other exporters have declared this one dead. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** Writes heartbeats, and releases the jobs of dead exporters; graphile-worker releases them only after four hours. */
export async function startWorkerRecovery(deps: RecoveryDeps): Promise<WorkerRecovery> {
  const { db, poolId, logger } = deps
  await enterPool(db, poolId)
  const stopping = new AbortController()
  const ended = runRecovery(deps, stopping.signal)
  ended.catch(() => undefined) // not unhandled: callers use `ended`
  return {
    ended,
    async stop() {
      stopping.abort()
      await ended.catch(() => undefined)
      // If this fails, the others declare it dead a little later, which does no harm.
      await leavePool(db, poolId).catch((error) =>
        logger.warn({ err: error }, 'could not remove this exporter from the list of exporters'),
      )
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

/** The period in which this exporter's own heartbeats have succeeded. */
interface Watch {
  sinceMs: number
  lastMs: number
}

/** Writes one heartbeat and checks those of the others. */
async function recoverOnce(deps: RecoveryDeps, watch: Watch): Promise<Watch> {
  const { db, poolId, heldJobs, taskNames, metrics, logger, options } = deps
  if (!(await renewPool(db, poolId))) throw new TakenForDeadError()
  const astray = await releaseStrayJobs(db, poolId, { heldJobs, afterMs: options.deadAfterMs })
  if (astray.length > 0) logger.warn({ jobs: astray }, 'released jobs that this exporter had locked but never started')
  const nowMs = performance.now()
  // After an outage of the database all heartbeats are old although no exporter is dead. So another exporter only
  // counts as dead if this one's own heartbeats have succeeded during the whole silence.
  const broken = nowMs - watch.lastMs > 2 * options.heartbeatMs
  const next = { sinceMs: broken ? nowMs : watch.sinceMs, lastMs: nowMs }
  if (nowMs - next.sinceMs < options.deadAfterMs) return next
  const dead = await releaseDeadPools(db, poolId, { deadAfterMs: options.deadAfterMs, taskNames })
  if (dead.length > 0) {
    metrics.lost.inc(dead.length)
    logger.warn({ pools: dead }, 'released the jobs of dead exporters')
  }
  return next
}

class TakenForDeadError extends Error {
  override name = 'TakenForDeadError'
  constructor() {
    super('this exporter was without a heartbeat for so long that others declared it dead')
  }
}
