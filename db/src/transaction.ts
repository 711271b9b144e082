import type { Db, Trx } from './schema.ts'
import { isRetryable } from './sqlstate.ts'

const ATTEMPTS_MAX = 5

/** Runs `work` in one transaction. After a conflict it runs again from the start, at most ATTEMPTS_MAX times in all. */
export async function inTransaction<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX || !isRetryable(error)) throw error
    }
  }
}
