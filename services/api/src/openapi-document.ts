import { createLogger, createRegistry } from '@streamledger/runtime'
import { createPasswords } from './accounts/passwords.ts'
import { buildApp } from './app.ts'
import { loadApiConfig } from './config.ts'
import { createExportFolder } from './ledger/export-files.ts'
import { createPosting } from './ledger/posting.ts'
import { openDatabases } from './open-databases.ts'

// Prints the OpenAPI document, for docs/openapi.json. The app is the real one; its database is never connected to.
const config = loadApiConfig({
  DATABASE_URL: 'postgres://127.0.0.1:1/none',
  JWT_SECRET: 'x'.repeat(32),
  INSTALLATION_ID: '00000000-0000-0000-0000-000000000000',
  EXPORT_DIR: '/nowhere',
})
const logger = createLogger({ service: 'openapi-document', level: 'silent' })
const databases = openDatabases(config.database, logger)
const app = await buildApp({
  config,
  logger,
  registry: createRegistry('openapi-document'),
  posting: createPosting(databases.posting.pool, config.posting),
  db: databases.main.db,
  passwords: createPasswords(config.passwords),
  files: createExportFolder(config.files.folder),
})
await app.ready()
process.stdout.write(`${JSON.stringify(app.swagger(), null, 2)}\n`)
await app.close()
await databases.close()
