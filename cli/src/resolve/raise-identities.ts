import type { Pool } from 'pg'
import type { TopicRow } from '../read-topic-row.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'
import { findIncarnation } from './event-source.ts'
import { parsePosted } from './put-back.ts'

/**
 * Ids that were given out and never reached the topic are not known: clients may have received them, or an API may have
 * reserved them. This many ids are skipped; there are 2^53 of them.
 */
const MARGIN = 1_000_000

/**
 * Raises the sequences, so that new rows get ids that none of these events has. Call this before the events are put back: a
 * second run no longer finds them.
 */
export async function raiseIdentities(pool: Pool, topic: TopicRow, records: readonly TopicRecord[]): Promise<void> {
  const posted = records
    .filter(({ headers }) => findIncarnation(topic, headers.ce_source) !== undefined)
    .flatMap((record) => parsePosted(record) ?? [])
  for (const [table, ids] of [
    ['transactions', posted.map(({ transaction_id }) => transaction_id)],
    ['users', posted.map(({ user_id }) => user_id)],
    ['wallets', posted.map(({ wallet_id }) => wallet_id)],
  ] as const) {
    const highest = ids.reduce((one, other) => Math.max(one, other), 0)
    if (highest === 0) continue
    await pool.query(
      `select setval(s::regclass, greatest($2::bigint, (select last_value from pg_sequences
                                               where schemaname || '.' || sequencename = s::text)))
         from cast(pg_get_serial_sequence($1, 'id') as text) as s`,
      [table, highest + MARGIN],
    )
  }
}
