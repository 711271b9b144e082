import { BARRIER, type Db, IS_SYNCHRONOUS } from '@streamledger/db'
import { sql } from 'kysely'
import { gather, type ReadOptions } from './gather.ts'

/** Resolves when all that was read before the call is as durable as a commit. */
export type Vouch = () => Promise<void>

/** One at a time: while no standby answers, it must not take the connections away. */
const BOUNDS = { queriesMax: 1, keysMax: 1, waitingMax: 5_000 }

/** Calls made while one is under way share the next. */
export function createVouch(execute: (statement: string) => Promise<unknown>, { timeoutMs }: ReadOptions): Vouch {
  const pass = gather(
    async (_: 'all'[]) => {
      await execute(BARRIER)
      return new Map<'all', never>()
    },
    { ...BOUNDS, timeoutMs },
  )
  return async () => {
    await pass('all')
  }
}

export const createVouchOf = (db: Db, options: ReadOptions): Vouch =>
  createVouch((statement) => sql.raw(statement).execute(db), options)

/** Selected beside a row that must be vouched for, so that an asynchronous system pays nothing. */
export const isSynchronous = sql.raw<boolean>(IS_SYNCHRONOUS).as('synchronous')

/** Returns a row that was read, once it is as durable as a commit. */
export async function vouchFor<Row extends object>(
  vouch: Vouch,
  { synchronous, ...row }: Row & { synchronous: boolean },
): Promise<Omit<Row, 'synchronous'>> {
  if (synchronous) await vouch()
  return row
}
