import type { Db } from '@streamledger/db'
import { sql } from 'kysely'

/** Registers a worker pool; may be done twice. */
export async function enterPool(db: Db, poolId: string): Promise<void> {
  await db
    .insertInto('exporter_pools')
    .values({ id: poolId })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

/** @returns false if other exporters have declared this pool dead; they may have taken its jobs */
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
 * Releases the jobs of dead pools: of pools whose heartbeats have stopped, and of pools that never had one, because
 * they died before the first or run a release without heartbeats. The latter are known by their tasks: workers of other
 * programs in the same database keep their jobs. Only the clock of Postgres is used.
 *
 * @returns the dead pools
 */
export async function releaseDeadPools(
  db: Db,
  poolId: string,
  { deadAfterMs, taskNames }: { deadAfterMs: number; taskNames: readonly string[] },
): Promise<string[]> {
  const deadAfter = sql`make_interval(secs => ${deadAfterMs / 1_000})`
  // A concurrent heartbeat locks the row, so the second of the two sees the result of the first.
  const { rows } = await sql<{ id: string }>`
    with silent as (
      delete from exporter_pools where heartbeat_at < now() - ${deadAfter} and id <> ${poolId} returning id
    ), unknown as (
      select distinct locked_by as id from graphile_worker.jobs
      where locked_at < now() - ${deadAfter} and locked_by not in (select id from exporter_pools)
        and task_identifier = any(${taskNames})
    ), dead as (
      select id from silent union select id from unknown
    )
    select id, graphile_worker.force_unlock_workers(array[id]) from dead`.execute(db)
  return rows.map(({ id }) => id)
}

/**
 * Releases jobs that this pool has locked but never started: the answer of the query that locked them was lost with its
 * connection. Other exporters do not release them, because this pool is alive. They were not tried, so no attempt
 * counts.
 *
 * @returns their keys
 */
export async function releaseStrayJobs(
  db: Db,
  poolId: string,
  { heldJobs, afterMs }: { heldJobs: ReadonlyMap<string, unknown>; afterMs: number },
): Promise<string[]> {
  // graphile-worker has a function that releases all jobs of a pool, but none for single jobs.
  const { rows } = await sql<{ key: string }>`
    update graphile_worker._private_jobs set locked_by = null, locked_at = null, attempts = greatest(0, attempts - 1)
    where locked_by = ${poolId} and locked_at < now() - make_interval(secs => ${afterMs / 1_000})
      and id <> all(${[...heldJobs.keys()]}::bigint[])
    returning coalesce(key, id::text) as key`.execute(db)
  return rows.map(({ key }) => key)
}
