import { type AwaitDatabase, awaitDatabase } from './await-database.ts'
import type { JudgedRole } from './judge-role.ts'
import { type MigrateOptions, migrate } from './migrate.ts'

export type PrepareDatabase = AwaitDatabase &
  Pick<MigrateOptions, 'onApply' | 'withoutQueue' | 'service'> & {
    /** Called if the role may do more than a service needs. */
    onExcess?: (judged: JudgedRole) => void
  }

/**
 * Migrates the database to this release before a service starts, if the service's role owns the tables. Otherwise waits
 * until it is migrated and the role has its privileges. Waits up to `startTimeoutMs`, also for a database that is down.
 */
export async function prepareDatabase(url: string, options: PrepareDatabase): Promise<void> {
  const judged = await awaitDatabase(url, () => migrate(url, options), options)
  if (judged.excess !== null) options.onExcess?.(judged)
}
