import type { Db } from '@streamledger/db'
import { sql } from 'kysely'

/** Enters a worker pool among the living; may be done twice. */
export async function enterPool(db: Db, poolId: string): Promise<void> {
  await db
    .insertInto('exporter_pools')
    .values({ id: poolId })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

/** @returns false if the pool has been taken for dead: its jobs may be another's by now */
export async function renewPool(db: Db, poolId: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('exporter_pools')
    .set({ heartbeat_at: sql`now()` })
    .where('id', '=', poolId)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

export async function leavePool(db: Db, poolId: string): Promise<void> {
  await db.deleteFrom('exporter_pools').where('id', '=', poolId).execute()
}

/**
 * Lets the jobs of dead pools be taken: of those whose heartbeats have ceased, and of those that never had one, be it
 * that they died before the first or that they are of a release without. Postgres's clock alone counts.
 *
 * @returns the dead pools
 */
export async function releaseDeadPools(db: Db, poolId: string, deadAfterMs: number): Promise<string[]> {
  const deadAfter = sql`make_interval(secs => ${deadAfterMs / 1_000})`
  // A heartbeat that comes at the same time locks the row: whichever is second sees what the first has done.
  const { rows } = await sql<{ id: string }>`
    with silent as (
      delete from exporter_pools where heartbeat_at < now() - ${deadAfter} and id <> ${poolId} returning id
    ), unknown as (
      select distinct locked_by as id from graphile_worker.jobs
      where locked_at < now() - ${deadAfter} and locked_by not in (select id from exporter_pools)
    ), dead as (
      select id from silent union select id from unknown
    )
    select id, graphile_worker.force_unlock_workers(array[id]) from dead`.execute(db)
  return rows.map(({ id }) => id)
}

/**
 * Lets the jobs be taken that a living pool has locked and no worker of it is at: the answer that told of them was lost
 * with its connection. Their pool lives, so nobody else frees them. Nobody has tried them: it cost no attempt.
 *
 * @returns their keys
 */
export async function releaseStrayJobs(
  db: Db,
  poolId: string,
  { heldJobs, afterMs }: { heldJobs: ReadonlyMap<string, unknown>; afterMs: number },
): Promise<string[]> {
  // graphile-worker has a function for all the jobs of a pool, and none for one.
  const { rows } = await sql<{ key: string }>`
    update graphile_worker._private_jobs set locked_by = null, locked_at = null, attempts = greatest(0, attempts - 1)
    where locked_by = ${poolId} and locked_at < now() - make_interval(secs => ${afterMs / 1_000})
      and id <> all(${[...heldJobs.keys()]}::bigint[])
    returning coalesce(key, id::text) as key`.execute(db)
  return rows.map(({ key }) => key)
}
