import { createLogger, createRegistry } from '@streamledger/runtime'
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { createPasswords } from './accounts/passwords.ts'
import { buildApp } from './app.ts'
import { loadApiConfig } from './config.ts'
import { createExportFolder } from './export-store.ts'
import { PostingQueue } from './ledger/posting-queue.ts'
import { observeApi } from './observe-api.ts'
import { openDatabases } from './open-databases.ts'
import { createPostingObserver } from './posting-observer.ts'

export interface OfflineApi {
  app: FastifyInstance
  registry: Registry
  close(): Promise<void>
}

/** The whole API, for generating documents from it. It never connects to its database. */
export async function buildOfflineApi(): Promise<OfflineApi> {
  const config = loadApiConfig({
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    JWT_SECRET: 'x'.repeat(32),
    INSTALLATION_ID: '00000000-0000-0000-0000-000000000000',
    EXPORT_DIR: '/nowhere',
  })
  const logger = createLogger({ service: 'offline-api', level: 'silent' })
  const databases = openDatabases(config.database, logger)
  const registry = createRegistry('api')
  const posting = new PostingQueue(databases.posting.pool, config.posting, createPostingObserver(registry))
  const passwords = createPasswords(config.passwords)
  observeApi(registry, { posting, passwords, databases })
  const files = createExportFolder(config.files.folder)
  const app = await buildApp({ config, logger, registry, posting, db: databases.main.db, passwords, files })
  await app.ready()
  return {
    app,
    registry,
    close: async () => {
      await app.close()
      await databases.close()
    },
  }
}
