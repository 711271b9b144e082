import { createLogger, createRegistry, type RunningService, runService, startOpsServer } from '@streamledger/runtime'
import { createPasswords } from './accounts/passwords.ts'
import { buildApp } from './app.ts'
import { loadApiConfig } from './config.ts'
import { createExportFolder } from './ledger/export-files.ts'
import { createPosting } from './ledger/posting.ts'
import { observeLedger } from './observe-ledger.ts'
import { openDatabase } from './open-database.ts'
import { prepareDatabase } from './prepare-database.ts'

const config = loadApiConfig(process.env)
const logger = createLogger({ service: 'api', level: config.logLevel })

async function startApi(): Promise<RunningService> {
  let ready = false
  const registry = createRegistry('api')
  const ops = await startOpsServer(
    { ready: () => ready, registry },
    { host: config.http.host, port: config.http.opsPort },
  )

  const database = openDatabase(config.database, logger)
  const { url, startTimeoutMs } = config.database
  await prepareDatabase(database.db, { url, startTimeoutMs, installation: config.installation }, logger)

  const posting = createPosting(database.pool, config.posting)
  observeLedger(registry, { posting, pool: database.pool })
  const app = await buildApp({
    config,
    logger,
    registry,
    posting,
    db: database.db,
    passwords: createPasswords(config.passwords),
    files: createExportFolder(config.exports.folder),
  })
  const address = await app.listen({ host: config.http.host, port: config.http.port })
  ready = true
  logger.info({ address, opsPort: ops.port }, 'ready')

  return {
    stop: async () => {
      ready = false
      await app.close() // refuses new connections and waits for the answers to what is under way
      await posting.close()
      await database.close()
      await ops.close()
    },
  }
}

await runService(logger, config.drainTimeoutMs, startApi)
