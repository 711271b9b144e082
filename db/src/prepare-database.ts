import { type AwaitDatabase, awaitDatabase } from './await-database.ts'
import { type MigrateOptions, migrate } from './migrate.ts'

export type PrepareDatabase = AwaitDatabase & Pick<MigrateOptions, 'onApply' | 'withoutQueue'>

/** Migrates the database to this release before a service starts. Waits up to `startTimeoutMs` for one that is down. */
export async function prepareDatabase(url: string, options: PrepareDatabase): Promise<void> {
  await awaitDatabase(url, () => migrate(url, options), options)
}
