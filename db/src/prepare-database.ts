import { type AwaitDatabase, awaitDatabase } from './await-database.ts'
import { migrate } from './migrate.ts'

export interface PrepareDatabase extends AwaitDatabase {
  /** Told of each migration as it is applied. */
  onApply?: (name: string) => void
}

/** Brings the database up to this release before a service starts; waits for one that is down, within a bound. */
export async function prepareDatabase(url: string, options: PrepareDatabase): Promise<void> {
  await awaitDatabase(url, () => migrate(url, options.onApply ? { onApply: options.onApply } : {}), options)
}
