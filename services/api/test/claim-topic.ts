import { randomUUID } from 'node:crypto'
import { claimInstallation } from '@streamledger/db'
import type { Pool } from 'pg'

/** Makes a migrated database an installation's, as a service does when it starts. */
export function claimTopic(pool: Pool): ReturnType<typeof claimInstallation> {
  return claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 12 })
}
