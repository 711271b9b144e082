import type { Pool } from 'pg'
import type { EventRecord } from './compare-events.ts'

/** An outbox row, in the same shape as a record of the topic. */
export interface OutboxRecord extends EventRecord {
  id: number
  created_at: Date
}

const ROWS_PER_PAGE = 2_000

/** Reads the outbox in order of partition and id, page by page, without rows that were posted after the first query. */
export async function* outboxPages(pool: Pool): AsyncGenerator<OutboxRecord[]> {
  // Without this bound, new rows of a busy system would keep the loop running for ever.
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
