import { createDatabase, type Database } from '@streamledger/db/database'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'

export interface Databases {
  /** For everything but posting. */
  main: Database
  /** Of its own, so that posting never waits behind a page of somebody's history. */
  posting: Database
  close(): Promise<void>
}

/** The API's pools. A connection that breaks is a line in the log, wherever it is at that moment. */
export function openDatabases(config: ApiConfig['database'], logger: Logger): Databases {
  const options = {
    applicationName: 'streamledger api',
    statementTimeoutMs: config.statementTimeoutMs,
    lockTimeoutMs: config.lockTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    onError: (error: Error) => logger.warn({ reason: error.message }, 'a connection to the database broke'),
  }
  const main = createDatabase(config.url, { ...options, connectionsMax: config.connectionsMax, prepare: true })
  // To plan its write takes longer than to execute it, and there is one good plan only.
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
