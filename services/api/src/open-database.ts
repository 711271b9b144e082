import { createDatabase, type Database } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'

/** The API's pool. A connection that breaks is a line in the log, wherever it is at that moment. */
export function openDatabase(config: ApiConfig['database'], logger: Logger): Database {
  const onError = (error: Error): void => logger.warn({ reason: error.message }, 'a connection to the database broke')
  const database = createDatabase(config.url, {
    applicationName: 'streamledger api',
    connectionsMax: config.connectionsMax,
    statementTimeoutMs: config.statementTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    onError,
  })
  // The pool listens only to idle connections. One that breaks in somebody's hands, between two statements of a
  // transaction, would end the process; whoever holds it gets the error from their next statement.
  database.pool.on('connect', (client) => client.on('error', onError))
  return database
}
