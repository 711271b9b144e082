import type { Pool } from 'pg'

interface Place {
  partition: number
  offset: number
}

/** Offsets of those records, all of one partition and in order, that are known to be of no transaction of this ledger. */
export async function readOrphanedOffsets(pool: Pool, records: readonly Place[]): Promise<ReadonlySet<number>> {
  const [first] = records
  if (!first) return new Set()
  const { rows } = await pool.query<{ at: number }>(
    'select "offset" as at from orphaned_events where partition = $1 and "offset" between $2 and $3',
    [first.partition, first.offset, records.at(-1)?.offset],
  )
  return new Set(rows.map(({ at }) => at))
}
