import type { Pool } from 'pg'
import type { TopicRow } from '../read-topic-row.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'
import { parsePosted } from './put-back.ts'

/** The highest ids that the topic has and Postgres has not. */
export interface HighestIds {
  transactions: number
  users: number
  wallets: number
}

/**
 * What was handed out and never reached the topic is not known: ids that clients were told, or that an API has drawn ahead.
 * So many are left out; there are 2^53 of them.
 */
const MARGIN = 1_000_000

export const noIds = (): HighestIds => ({ transactions: 0, users: 0, wallets: 0 })

export function noteIds(highest: HighestIds, topic: TopicRow, records: readonly TopicRecord[]): void {
  for (const record of records) {
    const posted = parsePosted(topic, record)
    if (!posted) continue
    highest.transactions = Math.max(highest.transactions, posted.transaction_id)
    highest.users = Math.max(highest.users, posted.user_id)
    highest.wallets = Math.max(highest.wallets, posted.wallet_id)
  }
}

/** Whatever is made from now on gets an id that no event has. */
export async function raiseIdentities(pool: Pool, highest: HighestIds): Promise<void> {
  for (const [table, id] of Object.entries(highest)) {
    if (id === 0) continue
    await pool.query(
      `select setval(s::regclass, greatest($2::bigint, (select last_value from pg_sequences
                                               where schemaname || '.' || sequencename = s::text)))
         from cast(pg_get_serial_sequence($1, 'id') as text) as s`,
      [table, id + MARGIN],
    )
  }
}
