import { createDatabase, type Database } from '@streamledger/db/database'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'

export interface Databases {
  /** For everything but posting. */
  main: Database
  /** A separate pool, so that posting never waits behind reads of the history. */
  posting: Database
  close(): Promise<void>
}

/** Opens the API's pools. Each connection that breaks is logged, whether it is idle or in use. */
export function openDatabases(config: ApiConfig['database'], logger: Logger): Databases {
  const options = {
    applicationName: 'streamledger api',
    statementTimeoutMs: config.statementTimeoutMs,
    lockTimeoutMs: config.lockTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    onError: (error: Error) => logger.warn({ reason: error.message }, 'a connection to the database broke'),
  }
  const main = createDatabase(config.url, {
    ...options,
    connectionsMax: config.connectionsMax,
    prepare: true,
    admitDurable: true,
  })
  // Planning its write takes longer than executing it, and there is only one good plan.
  const posting = createDatabase(config.url, {
    ...options,
    connectionsMax: config.postingConnectionsMax,
    planOnce: true,
  })
  return {
    ...{ main, posting },
    close: async () => {
      await Promise.all([main.close(), posting.close()])
    },
  }
}
