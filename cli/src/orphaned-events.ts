import type { Pool } from 'pg'

interface Placed {
  partition: number
  offset: number
  value: string | null
}

/**
 * Offsets of the records that are recorded as events without a transaction in this ledger. The records must be of one
 * partition and in order. Their values are compared too, since a topic that was made anew has other events at the same
 * offsets.
 */
export async function readOrphanedOffsets(pool: Pool, records: readonly Placed[]): Promise<ReadonlySet<number>> {
  const [first] = records
  if (!first) return new Set()
  const { rows } = await pool.query<{ at: number; payload: string | null }>(
    'select "offset" as at, payload from orphaned_events where partition = $1 and "offset" between $2 and $3',
    [first.partition, first.offset, records.at(-1)?.offset],
  )
  const orphans = new Set(rows.map(({ at, payload }) => identify(at, payload)))
  return new Set(records.flatMap(({ offset, value }) => (orphans.has(identify(offset, value)) ? [offset] : [])))
}

const identify = (offset: number, payload: string | null): string => `${offset} ${payload ?? ''}`
