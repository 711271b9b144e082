import type { Pool } from 'pg'
import type { EventRecord } from './compare-events.ts'

/** An outbox row, in the shape that the topic's records are read in. */
export interface OutboxRecord extends EventRecord {
  id: number
  created_at: Date
}

const ROWS_PER_PAGE = 2_000

/** The outbox in order of partition and id, a page at a time; no row that was posted after the first page began. */
export async function* outboxPages(pool: Pool): AsyncGenerator<OutboxRecord[]> {
  // Otherwise a busy system would hand out new rows for ever.
  const { rows: ends } = await pool.query<{ last: number | null }>('select max(id) as last from outbox')
  let after = { partition: -1, id: 0 }
  for (;;) {
    const { rows } = await pool.query<OutboxRecord>(
      `select partition, id, created_at, key, payload as value, headers
         from outbox where (partition, id) > ($1, $2) and id <= $3 order by partition, id limit $4`,
      [after.partition, after.id, ends[0]?.last ?? 0, ROWS_PER_PAGE],
    )
    if (rows.length > 0) yield rows
    const last = rows.at(-1)
    if (!last || rows.length < ROWS_PER_PAGE) return
    after = last
  }
}
