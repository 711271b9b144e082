import { withTransaction } from '@streamledger/db'
import { TransactionPosted } from '@streamledger/events'
import type { Pool, PoolClient } from 'pg'
import type { Static } from 'typebox'
import { Check } from 'typebox/schema'
import type { TopicRow } from '../read-topic-row.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'
import { isOurs } from './event-source.ts'

type Posted = Static<typeof TransactionPosted>

// Only if the wallet is in the state before this transaction: the previous sequence, the balance that the transaction
// changed, and no later transaction, which was posted since. A trans_id that was answered since keeps its answer.
const PUT_BACK = `
  with wallet as (
    select id from wallets
     where id = $1 and user_id = $2 and currency = $3 and sequence = $4::bigint - 1
       and balance + case $5::entry when 'credit' then $6::bigint else -$6::bigint end = $7::bigint
       and not exists (select from transactions where wallet_id = $1 and sequence = $4::bigint - 1
                                                  and created_at > $10::timestamptz)
       and not exists (select from transactions where id = $8)
       and not exists (select from transactions where wallet_id = $1 and trans_id = $9)
       and not exists (select from refusals where wallet_id = $1 and trans_id = $9)
     for update
  ), moved as (
    update wallets w
       set balance = $7, sequence = $4, version = w.version + 1, updated_at = greatest(w.updated_at, $10::timestamptz)
      from wallet where w.id = wallet.id
    returning w.id
  )
  insert into transactions (id, wallet_id, sequence, entry, amount, balance, trans_id, created_at)
  select $8::bigint, id, $4::bigint, $5::entry, $6::bigint, $7::bigint, $9, $10::timestamptz from moved`

/**
 * Puts transactions that Postgres has lost back into the ledger, from their events. The order of the topic is the order of
 * each wallet. Returns the events that do not fit: another transaction has their place, or their wallet is lost.
 */
export async function putBack(pool: Pool, topic: TopicRow, records: readonly TopicRecord[]): Promise<TopicRecord[]> {
  if (records.length === 0) return []
  return withTransaction(pool, async (client) => {
    const left: TopicRecord[] = []
    for (const record of records) if (!(await putBackOne(client, topic, record))) left.push(record)
    return left
  })
}

async function putBackOne(client: PoolClient, topic: TopicRow, record: TopicRecord): Promise<boolean> {
  const posted = isOurs(topic, record) ? parsePosted(record) : undefined
  if (!posted) return false
  const { rowCount } = await client.query(PUT_BACK, [
    ...[posted.wallet_id, posted.user_id, posted.currency, posted.sequence, posted.entry, posted.amount],
    ...[posted.balance, posted.transaction_id, posted.trans_id, posted.timestamp],
  ])
  return rowCount === 1
}

/** The transaction of an event whose key and id match it; undefined for any other record. */
export function parsePosted({ key, value, headers }: TopicRecord): Posted | undefined {
  try {
    const posted = JSON.parse(value ?? '')
    const isWhole = Check(TransactionPosted, posted)
    return isWhole && key === String(posted.user_id) && headers.ce_id === String(posted.transaction_id)
      ? posted
      : undefined
  } catch {
    return undefined
  }
}
