import { type OutboxEvent, transactionPosted } from '@streamledger/events'
import type { Installation } from '../stack/open-installation.ts'
import { insertOutboxRows } from './insert-outbox-rows.ts'

type Target = Pick<Installation, 'pool' | 'partitions' | 'eventSource'>

/** Rows per commit, as the API writes them under load. */
const COMMIT_ROWS = 500

/** Fills the outbox with rows as the API writes them, users taking turns; each row's event is numbered from 1. */
export async function seedOutbox(target: Target, { rows, users }: { rows: number; users: number }): Promise<void> {
  for (let from = 1; from <= rows; from += COMMIT_ROWS) {
    const length = Math.min(COMMIT_ROWS, rows - from + 1)
    const events = Array.from({ length }, (_, index) => makeEvent(target, from + index, users))
    await insertOutboxRows(target.pool, events)
  }
}

/** Writes one row in its own commit, with a second row that keeps the time of the commit after the first is deleted. */
export async function writeMarkedRow(target: Target, { id, users }: { id: number; users: number }): Promise<void> {
  const { partition, key, payload, headers } = makeEvent(target, id, users)
  await target.pool.query({
    name: 'write-marked-row',
    text: `with mark as (insert into bench.marks (id) values ($1))
           insert into outbox (partition, key, payload, headers) values ($2, $3, $4, $5)`,
    values: [id, partition, key, payload, headers],
  })
}

function makeEvent({ partitions, eventSource }: Target, id: number, users: number): OutboxEvent {
  const user = id % users
  return transactionPosted(
    {
      ...{ id, user_id: user, wallet_id: user, sequence: Math.ceil(id / users) },
      ...{ entry: id % 2 === 0 ? 'debit' : 'credit', amount: 5_000, balance: 1_000_000, currency: 'NGN' },
      ...{ trans_id: `order-${id}`, created_at: new Date() },
    },
    { partitions, source: eventSource },
  )
}
