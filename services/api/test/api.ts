import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, createRegistry } from '@streamledger/runtime'
import { test as base, LIMITS_OUT_OF_REACH } from '@streamledger/testkit'
import { createPasswords } from '../src/accounts/passwords.ts'
import { buildApp } from '../src/app.ts'
import { loadApiConfig } from '../src/config.ts'
import { openExportFiles } from '../src/export-store.ts'
import { PostingQueue } from '../src/ledger/posting-queue.ts'
import { openDatabases } from '../src/open-databases.ts'
import { claimTopic } from './claim-topic.ts'
import { type Client, createClient } from './client.ts'

export { afterAll, describe, expect, waitFor } from '@streamledger/testkit'

/** A hash with the product's own memory takes a core for 20 to 40 ms, and tests sign up hundreds of users. */
const MEMORY_KIB_OF_TESTS = 64

export const SECRET = 'a secret for tests, 32 bytes at least'

export interface Api {
  url: string
  exportFolder: string
  /** A client that is not logged in. */
  anonymous: Client
  signUp(person?: Partial<Person>): Promise<Client>
  stop(): Promise<void>
}

export interface Person {
  first_name: string
  last_name: string
  email: string
  password: string
}

export function makePerson(person: Partial<Person> = {}): Person {
  const email = `${randomUUID()}@example.com`
  return { first_name: 'Ada', last_name: 'Obi', email, password: 'a long pass phrase', ...person }
}

/** A new user with an empty wallet. */
export async function signUp(url: string, person?: Partial<Person>): Promise<Client> {
  const answer = await createClient(url).call('POST', '/auth/signup', { body: makePerson(person) })
  if (answer.status !== 201) throw new Error(`sign-up was answered ${answer.status}: ${answer.text}`)
  return createClient(url, answer.json)
}

export function makeEnv(databaseUrl: string, env: Record<string, string> = {}): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    JWT_SECRET: SECRET,
    INSTALLATION_ID: '7d0c8f0e-9b1c-4f5e-8a55-8d2f6f4f9a01',
    EXPORT_DIR: join(tmpdir(), 'no-such-folder'),
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_CONNECT_TIMEOUT_MS: '1000',
    ...LIMITS_OUT_OF_REACH,
    ...env,
  }
}

/** The real app, listening on a port of its own, on a database that is migrated. */
export async function startApi(
  databaseUrl: string,
  env: Record<string, string> = {},
  { memoryKib = MEMORY_KIB_OF_TESTS } = {},
): Promise<Api> {
  const exportFolder = await mkdtemp(join(tmpdir(), 'streamledger-exports-'))
  const config = loadApiConfig(makeEnv(databaseUrl, { EXPORT_DIR: exportFolder, ...env }))
  const logger = createLogger({ service: 'api', level: config.logLevel })
  const databases = openDatabases(config.database, logger)
  const posting = new PostingQueue(databases.posting.pool, config.posting)
  const app = await buildApp({
    config,
    posting,
    db: databases.main.db,
    logger,
    registry: createRegistry('api'),
    passwords: createPasswords({ ...config.passwords, memoryKib }),
    files: await openExportFiles(config, logger),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const anonymous = createClient(url)
  return {
    url,
    exportFolder,
    anonymous,
    signUp: (person) => signUp(url, person),
    stop: async () => {
      await app.close()
      await posting.close()
      await databases.close()
      await rm(exportFolder, { recursive: true })
    },
  }
}

/** vitest's `test` with the API on the file's own database. */
export const test = base.extend('api', { scope: 'file' }, async ({ database }, { onCleanup }) => {
  await claimTopic(database.pool)
  const api = await startApi(database.url)
  onCleanup(() => api.stop())
  return api
})
