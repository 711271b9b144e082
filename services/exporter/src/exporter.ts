import { awaitDatabase, createDatabase, type Database, prepareDatabase } from '@streamledger/db'
import { EXPORT_TASK } from '@streamledger/events'
import { createRegistry, type Logger, logPreparation, type RunningService, startOpsServer } from '@streamledger/runtime'
import { type Runner, run } from 'graphile-worker'
import type { ExporterConfig } from './config.ts'
import { createFolderStore } from './folder-store.ts'
import { createHandBack, type HandBack } from './hand-back.ts'
import { createExporterMetrics } from './metrics.ts'
import { exportTransactions } from './tasks/export-transactions.ts'
import { createWorkerLogger } from './worker-logger.ts'

/** Migrates the database and starts taking export jobs. */
export async function startExporter(config: ExporterConfig, logger: Logger): Promise<RunningService> {
  const { url, startTimeoutMs, patienceMs } = config.database
  const store = await createFolderStore(config.exports.dir)
  const patience = { startTimeoutMs, ...logPreparation(logger) }
  await prepareDatabase(url, patience)
  const database = openDatabase(config, logger)
  const handBack = createHandBack(database.db)
  const registry = createRegistry('exporter')
  const metrics = createExporterMetrics(registry, database.db)
  const options = { ...config.exports, patienceMs }
  const task = exportTransactions({ db: database.db, store, handBack, metrics, logger, options })
  let ready = false
  const ops = await startOpsServer({ ready: () => ready, registry }, config.ops)
  const runner = await awaitDatabase(url, () => startRunner(config, database, task, logger), patience)
  const worker = watchRunner(runner)
  ready = true
  logger.info({ opsPort: ops.port, exportDir: config.exports.dir }, 'ready')
  return {
    async stop() {
      ready = false
      await worker.stop()
      await flushQuietly(handBack, logger)
      await ops.close()
      await database.close()
    },
  }
}

/** One connection listens for jobs; an export holds one for its pages, its worker another to take and end jobs; one is for metrics. */
const CONNECTIONS_PER_EXPORT = 2
const CONNECTIONS_BESIDE = 2

function openDatabase({ database, worker }: ExporterConfig, logger: Logger): Database {
  return createDatabase(database.url, {
    applicationName: 'streamledger exporter',
    connectionsMax: worker.concurrency * CONNECTIONS_PER_EXPORT + CONNECTIONS_BESIDE,
    statementTimeoutMs: database.statementTimeoutMs,
    onError: (error) => logger.warn({ err: error }, 'a database connection broke'),
  })
}

function startRunner(
  { worker }: ExporterConfig,
  { pool }: Database,
  task: ReturnType<typeof exportTransactions>,
  logger: Logger,
): Promise<Runner> {
  return run({
    pgPool: pool,
    taskList: { [EXPORT_TASK]: task },
    parsedCronItems: [],
    concurrency: worker.concurrency,
    pollInterval: worker.pollIntervalMs,
    gracefulShutdownAbortTimeout: worker.abortAfterMs,
    noHandleSignals: true,
    logger: createWorkerLogger(logger),
    // Without a delay of their own, jobs are ended by a promise that nobody waits for, not even the shutdown.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  })
}

/** Lets the process die if the worker ends by itself: it could not note what became of a job, and a restart is a clean slate. */
function watchRunner(runner: Runner): { stop(): Promise<void> } {
  let stopping = false
  const ended = runner.promise.then(
    () => new Error('the job worker has stopped'),
    (error) => new Error('the job worker has stopped', { cause: error }),
  )
  void ended.then((error) => {
    if (!stopping) throw error
  })
  return {
    async stop() {
      if (stopping) return
      stopping = true
      await runner.stop().catch(() => undefined) // it rejects if the worker has ended by itself
    },
  }
}

async function flushQuietly(handBack: HandBack, logger: Logger): Promise<void> {
  // What could not be handed back is tried again by itself, only later, so the rest of the stop goes on.
  await handBack.flush().catch((error) => logger.warn({ err: error }, 'an export was not handed back at once'))
}
