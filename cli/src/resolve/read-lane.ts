import type { Pool } from 'pg'
import { CliError } from '../errors.ts'

/** A partition as Postgres stores it. */
export interface StoredLane {
  partition: number
  batch_seq: number
  /** Null if no batch is open. */
  batch_id: string | null
  batch_rows: number | null
  next_offset: number | null
  /** As text, in microseconds, which tells this halt from a later one. Null if the partition is not halted. */
  halted_at: string | null
  halted_reason: string | null
}

const LANE = `
  select partition, batch_seq, batch_id, batch_rows, next_offset, halted_at::text as halted_at, halted_reason
    from relay_partitions`

export async function readLane(pool: Pool, partition: number): Promise<StoredLane> {
  const { rows } = await pool.query<StoredLane>(`${LANE} where partition = $1`, [partition])
  const [lane] = rows
  if (lane) return lane
  throw new CliError('usage', `There is no partition ${partition}: \`streamledger outbox status\` lists them.`)
}

export async function readLanes(pool: Pool): Promise<StoredLane[]> {
  const { rows } = await pool.query<StoredLane>(`${LANE} order by partition`)
  return rows
}
