import { randomUUID } from 'node:crypto'
import { createDatabase, type Database } from '@streamledger/db/database'
import { executeStatement } from '@streamledger/engines'

const CONNECTIONS_MAX = 20
const STATEMENT_TIMEOUT_MS = 30_000
/** Long, so that a machine that is busy with other tests does not make this one fail. */
const CONNECT_TIMEOUT_MS = 30_000

export type TestDatabase = Pick<Database, 'db' | 'pool'> & { readonly url: string; close(): Promise<void> }

/** A database of its own, cloned from the migrated template; closing it drops it. */
export async function createTestDatabase(postgresUrl: string, template: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await executeStatement(postgresUrl, `create database ${name} template ${template}`)
  const url = new URL(postgresUrl)
  url.pathname = name
  const { db, pool, close } = createDatabase(url.href, {
    applicationName: 'test',
    connectionsMax: CONNECTIONS_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  })
  return {
    ...{ url: url.href, db, pool },
    close: async () => {
      await close()
      // "with (force)" also ends the sessions of a service that a test has killed.
      await executeStatement(postgresUrl, `drop database if exists ${name} with (force)`)
    },
  }
}
