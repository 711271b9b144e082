import { createDatabase, type Database } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'

/** The API's pool. A connection that breaks is a line in the log, wherever it is at that moment. */
export function openDatabase(config: ApiConfig['database'], logger: Logger): Database {
  return createDatabase(config.url, {
    applicationName: 'streamledger api',
    connectionsMax: config.connectionsMax,
    statementTimeoutMs: config.statementTimeoutMs,
    lockTimeoutMs: config.lockTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    onError: (error) => logger.warn({ reason: error.message }, 'a connection to the database broke'),
  })
}
