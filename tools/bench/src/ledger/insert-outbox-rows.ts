import type { OutboxEvent } from '@streamledger/events'
import type pg from 'pg'

const COLUMNS = ['partition', 'key', 'payload', 'headers'] as const

/** Puts events into the outbox, in their order, by one statement. */
export async function insertOutboxRows(pool: pg.Pool, events: readonly OutboxEvent[]): Promise<void> {
  await pool.query({
    name: 'insert-outbox-rows',
    text: `insert into outbox (${COLUMNS.join(', ')})
           select * from unnest($1::int[], $2::text[], $3::text[], $4::json[])`,
    values: COLUMNS.map((column) => events.map((event) => event[column])),
  })
}
