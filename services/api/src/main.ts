#!/usr/bin/env -S node --expose-gc
// The flag lets the service collect the garbage of its start, see collect-garbage.ts.
import { awaitDatabase, claimInstallation, prepareDatabase } from '@streamledger/db'
import {
  createLogger,
  createRegistry,
  logPreparation,
  type RunningService,
  readConfig,
  runService,
  sleep,
  startOpsServer,
} from '@streamledger/runtime'
import { startTracing } from '@streamledger/tracing'
import { createPasswords } from './accounts/passwords.ts'
import { buildApp } from './app.ts'
import { loadApiConfig } from './config.ts'
import { openExportFiles } from './export-store.ts'
import { PostingQueue } from './ledger/posting-queue.ts'
import { observeApi } from './observe-api.ts'
import { openDatabases } from './open-databases.ts'
import { createPostingObserver } from './posting-observer.ts'

const config = readConfig(loadApiConfig)
const logger = createLogger({ service: 'api', level: config.logLevel })
/**
 * Length of the listen backlog. With Node's default of 511, a thousand connections at once wait seconds for a retry.
 */
const CONNECTIONS_WAITING_MAX = 4_096
/** The part of a stop that is kept for what comes after the database. */
const CLOSE_SHARE = 0.1

async function startApi(): Promise<RunningService> {
  let ready = false
  const registry = createRegistry('api')
  const ops = await startOpsServer(
    { ready: () => ready, registry },
    { host: config.http.host, port: config.http.opsPort },
  )

  const tracing = await startTracing(config.tracing, { service: 'api', logger, registry })
  const databases = openDatabases(config.database, logger)
  const { db } = databases.main
  const { url, startTimeoutMs } = config.database
  const patience = { startTimeoutMs, ...logPreparation(logger) }
  await prepareDatabase(url, { ...patience, service: 'api' })
  await awaitDatabase(url, () => claimInstallation(databases.main.pool, config.installation), patience)

  const posting = new PostingQueue(databases.posting.pool, config.posting, createPostingObserver(registry))
  const passwords = createPasswords(config.passwords)
  observeApi(registry, { posting, passwords, databases })
  const app = await buildApp({
    config,
    logger,
    registry,
    posting,
    db,
    passwords,
    files: await openExportFiles(config, logger),
    tracing,
  })
  const address = await app.listen({ host: config.http.host, port: config.http.port, backlog: CONNECTIONS_WAITING_MAX })
  ready = true
  logger.info({ address, opsPort: ops.port }, 'ready')

  return {
    stop: async () => {
      const { drainTimeoutMs } = config
      const stopBy = performance.now() + drainTimeoutMs
      ready = false
      await app.close() // refuses new connections, and waits for the requests under way
      // Every request has its answer. A statement that hangs must not hold up the stop.
      const closed = posting.close().then(() => databases.close())
      await Promise.race([closed, sleep(stopBy - CLOSE_SHARE * drainTimeoutMs - performance.now())])
      await tracing?.close(stopBy)
      await ops.close()
    },
  }
}

await runService(logger, config.drainTimeoutMs, startApi)
