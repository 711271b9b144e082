import { EventEmitter, once } from 'node:events'
import { awaitDatabase, prepareDatabase } from '@streamledger/db'
import { createDatabase, type Database } from '@streamledger/db/database'
import { EXPORT_TASK } from '@streamledger/events'
import { openBucket } from '@streamledger/export-files'
import {
  createRegistry,
  type Logger,
  logPreparation,
  type RunningService,
  sleep,
  startOpsServer,
} from '@streamledger/runtime'
import { startTracing } from '@streamledger/tracing'
import {
  type Job,
  type ParsedCronItem,
  parseCronItems,
  type Runner,
  run,
  type TaskList,
  type WorkerEvents,
  type WorkerPool,
} from 'graphile-worker'
import { createBucketStore } from './bucket-store.ts'
import type { ExporterConfig } from './config.ts'
import { createCpuBudget } from './cpu-budget.ts'
import type { ExportStore } from './export-store.ts'
import { createFolderStore } from './folder-store.ts'
import { createHandBack, type HandBack } from './hand-back.ts'
import { createExporterMetrics } from './metrics.ts'
import { createPatientPool } from './patient-pool.ts'
import { expireExportFiles } from './tasks/expire-exports.ts'
import { type ExportDeps, exportTransactions } from './tasks/export-transactions.ts'
import { forgetSecurityEvents } from './tasks/forget-security-events.ts'
import { sweepFiles } from './tasks/sweep-files.ts'
import { tendExports } from './tasks/tend-exports.ts'
import { createWorkerLogger } from './worker-logger.ts'
import { startWorkerRecovery } from './worker-recovery.ts'

/** Prepares the database and starts taking export jobs. */
export async function startExporter(config: ExporterConfig, logger: Logger): Promise<RunningService> {
  const database = openDatabase(config, logger)
  const registry = createRegistry('exporter')
  const metrics = createExporterMetrics(registry, database)
  let ready = false
  // Before the migration, which may take longer than a startup probe waits.
  const ops = await startOpsServer({ ready: () => ready, registry }, config.ops)
  const { url, startTimeoutMs } = config.database
  const store = await createStore(config)
  const patience = { startTimeoutMs, ...logPreparation(logger) }
  await prepareDatabase(url, { ...patience, service: 'exporter' })
  const handBack = createHandBack(database.db)
  const tracing = await startTracing(config.tracing, { service: 'exporter', logger, registry })
  const tasks = createTasks(config, { db: database.db, store, handBack, metrics, logger, tracing })
  const stopping = new AbortController()
  const endingJobs = { patienceMs: config.database.patienceMs, signal: stopping.signal }
  const pool = createPatientPool(database.pool, endingJobs)
  const { runner, workers, heldJobs } = await awaitDatabase(
    url,
    () => startRunner(config, pool, tasks, logger),
    patience,
  )
  const worker = watchRunner(runner, workers, config.drainTimeoutMs)
  const poolId = workers.id
  const recovering = {
    ...{ db: database.db, poolId, heldJobs, taskNames: Object.keys(tasks) },
    ...{ metrics, logger, options: config.recovery },
  }
  const recovery = await awaitDatabase(url, () => startWorkerRecovery(recovering), patience)
  // Ends the process: others may have taken its exports, and its pool is no longer registered. It must restart.
  void recovery.ended.catch((error) => {
    throw error
  })
  ready = true
  logger.info({ opsPort: ops.port, poolId }, 'ready')
  return {
    async stop() {
      const stopBy = performance.now() + config.drainTimeoutMs
      ready = false
      stopping.abort() // stops retries while the database is down; other exporters recover such jobs
      await worker.stop()
      await flushQuietly(handBack, logger)
      // Heartbeats go on until here, so that no other exporter takes an export that is still being written.
      await recovery.stop()
      await tracing?.close(stopBy)
      await ops.close()
      await database.close()
    },
  }
}

async function createStore({ files: { folder, bucket, patienceMs } }: ExporterConfig): Promise<ExportStore> {
  return bucket ? createBucketStore(await openBucket(bucket), folder, { patienceMs }) : createFolderStore(folder)
}

function createTasks(config: ExporterConfig, deps: Omit<ExportDeps, 'options' | 'cpuBudget'>): TaskList {
  const options = { ...config.exports, patienceMs: config.database.patienceMs }
  return {
    [EXPORT_TASK]: exportTransactions({ ...deps, cpuBudget: createCpuBudget(options.cpuPercent), options }),
    tend_exports: tendExports(deps),
    expire_exports: expireExportFiles({ ...deps, options }),
    sweep_files: sweepFiles({ ...deps, options }),
    forget_security_events: forgetSecurityEvents({ ...deps, options: config.securityEvents }),
  }
}

/** Runs before exports, and is not retried: cron queues the next run anyway. */
const UPKEEP = { priority: -1, maxAttempts: 1 }

/** graphile-worker queues each item once, for any number of exporters. */
function listCronItems(): ParsedCronItem[] {
  return parseCronItems([
    { task: 'tend_exports', match: '* * * * *', options: { ...UPKEEP, jobKey: 'tend_exports' } },
    { task: 'expire_exports', match: '* * * * *', options: { ...UPKEEP, jobKey: 'expire_exports' } },
    { task: 'sweep_files', match: '*/5 * * * *', options: { ...UPKEEP, jobKey: 'sweep_files' } },
    { task: 'forget_security_events', match: '17 * * * *', options: { ...UPKEEP, jobKey: 'forget_security_events' } },
  ])
}

/** Each export needs one connection for its pages and one for its worker, which takes and ends jobs. */
const CONNECTIONS_PER_EXPORT = 2
/** One to listen for jobs, one for heartbeats, one for metrics. */
const CONNECTIONS_BESIDE = 3

function openDatabase({ database, worker }: ExporterConfig, logger: Logger): Database {
  return createDatabase(database.url, {
    applicationName: 'streamledger exporter',
    connectionsMax: worker.concurrency * CONNECTIONS_PER_EXPORT + CONNECTIONS_BESIDE,
    statementTimeoutMs: database.statementTimeoutMs,
    onError: (error) => logger.warn({ err: error }, 'a database connection broke'),
  })
}

interface StartedRunner {
  runner: Runner
  workers: WorkerPool
  /** Jobs that a worker of this process runs, or whose end is being written to the database, by id. */
  heldJobs: ReadonlyMap<string, Job>
}

/**
 * Duration of the last try to write how a job has ended, which begins when the patience ends. Bounded by the statement
 * timeout.
 */
const NOTING_MS = 10_000

function holdJobs(events: WorkerEvents, patienceMs: number): Map<string, Job> {
  const held = new Map<string, Job>()
  events.on('job:start', ({ job }) => held.set(job.id, job))
  events.on('job:complete', ({ job }) => {
    // By then the end is written, or the exporter has stopped because of it. The same job may be running here again.
    const forget = (): void => void (held.get(job.id) === job && held.delete(job.id))
    setTimeout(forget, patienceMs + NOTING_MS).unref()
  })
  return held
}

async function startRunner(
  { worker, database }: ExporterConfig,
  pool: Database['pool'],
  taskList: TaskList,
  logger: Logger,
): Promise<StartedRunner> {
  const events: WorkerEvents = new EventEmitter()
  const heldJobs = holdJobs(events, database.patienceMs)
  const created = once(events, 'pool:create') as Promise<[{ workerPool: WorkerPool }]>
  const runner = await run({
    events,
    taskList,
    pgPool: pool,
    parsedCronItems: listCronItems(),
    concurrency: worker.concurrency,
    pollInterval: worker.pollIntervalMs,
    gracefulShutdownAbortTimeout: worker.abortAfterMs,
    noHandleSignals: true,
    logger: createWorkerLogger(logger),
    // Without these settings graphile-worker ends jobs in a promise that nothing awaits, not even the shutdown.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  })
  const [{ workerPool: workers }] = await created // it was created before `run` returned
  return { runner, workers, heldJobs }
}

/** How long a stop waits for graphile-worker's cron. Without an outage it ends at once. */
const CRON_END_MS = 500

/**
 * Ends the process if the worker stops by itself: it could not write how a job has ended, although it retried. A
 * restart begins with a clean state.
 */
function watchRunner(runner: Runner, workers: WorkerPool, drainTimeoutMs: number): { stop(): Promise<void> } {
  let stopping = false
  let cause: unknown // runner.promise does not contain it
  // graphile-worker 0.18 counts wrong after two jobs whose end it could not write, and then never says that it has
  // ended. From the first such job on, this goes by the time, and by its workers.
  const failed = new Promise<void>((resolve) => {
    runner.events.on('pool:fatalError', ({ error }) => {
      cause = error
      resolve()
    })
  })
  const released = new Promise<void>((resolve) => {
    for (const name of ['complete', 'error'] as const) {
      runner.events.on(`pool:gracefulShutdown:${name}`, () => resolve())
    }
  })
  // After an outage the runner's own promise may wait for the cron for up to a minute, while the workers have ended.
  const overdue = failed.then(() => sleep(drainTimeoutMs))
  const ended = Promise.race([runner.promise, workers.promise, overdue]).then(
    () => new Error('the job worker has stopped', { cause }),
    (error) => new Error('the job worker has stopped', { cause: error }),
  )
  void ended.then((error) => {
    if (!stopping) throw error
  })
  return {
    async stop() {
      if (stopping) return
      stopping = true
      const stopped = runner.stop().catch(() => undefined) // rejects if the worker has stopped by itself
      // After an outage the cron sleeps for up to a minute, which nothing can end, and `stop` would wait for it. It does
      // nothing more when it wakes.
      const workersEnded = workers.promise.catch(() => undefined)
      const workersReleased = Promise.all([failed, released])
      await Promise.race([stopped, Promise.race([workersEnded, workersReleased]).then(() => sleep(CRON_END_MS))])
    },
  }
}

async function flushQuietly(handBack: HandBack, logger: Logger): Promise<void> {
  // An export that could not be handed back is retried later anyway, so the stop continues.
  await handBack.flush().catch((error) => logger.warn({ err: error }, 'an export was not handed back at once'))
}
