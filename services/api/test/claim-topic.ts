import { randomUUID } from 'node:crypto'
import { claimInstallation, type Db } from '@streamledger/db'

/** Makes a migrated database an installation's, as a service does when it starts. */
export function claimTopic(db: Db): ReturnType<typeof claimInstallation> {
  return claimInstallation(db, { installationId: randomUUID(), topic: 'transactions', partitions: 12 })
}
