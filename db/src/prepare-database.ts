import { type AwaitDatabase, awaitDatabase } from './await-database.ts'
import { type MigrateOptions, migrate } from './migrate.ts'

export type PrepareDatabase = AwaitDatabase & Pick<MigrateOptions, 'onApply' | 'withoutQueue'>

/** Brings the database up to this release before a service starts; waits for one that is down, within a bound. */
export async function prepareDatabase(url: string, options: PrepareDatabase): Promise<void> {
  await awaitDatabase(url, () => migrate(url, options), options)
}
