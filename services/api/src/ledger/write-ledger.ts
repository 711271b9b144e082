import type { LedgerTransaction } from '@streamledger/db'
import type { OutboxEvent } from '@streamledger/events'
import type { Pool } from 'pg'
import type { Refusal } from './decide.ts'
import type { WalletRead } from './read-ledger.ts'

export interface LedgerWrite {
  /** Of the topic, as read: nothing is written once it has changed, or while it is paused. */
  generation: number
  /** As they shall be; `version` is the one that was read. */
  wallets: WalletRead[]
  transactions: LedgerTransaction[]
  refusals: Refusal[]
  /** In the order of `transactions`. */
  outbox: (OutboxEvent & { wallet_id: number })[]
}

// One statement, one commit. Wallets are locked in id order, so two replicas never wait for each other in a circle;
// after a wait Postgres checks the version again on the row as it is then. Every write to a wallet raises its version,
// so an unchanged one means that nothing was recorded since the read, and no twin of a trans_id can slip in. All other
// parts hang on the wallets that were updated. Outbox rows are inserted in order, so that their ids rise with sequence.
const write = (lock: 'for no key update of w' | 'for no key update of w skip locked'): string => `
  with wallet as (
    select * from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
      as wallet (id, version, balance, sequence, updated_at)
  ), locked as materialized (
    select w.id from wallets w join wallet on wallet.id = w.id
     where w.version = wallet.version
       and exists (select from topic where topic.generation = $1 and not topic.paused)
     order by w.id
       ${lock}
  ), updated as (
    update wallets w
       set balance = wallet.balance, sequence = wallet.sequence, updated_at = wallet.updated_at, version = w.version + 1
      from wallet join locked using (id)
     where w.id = wallet.id
    returning w.id
  ), posted as (
    insert into transactions (id, wallet_id, sequence, amount, balance, created_at, entry, trans_id)
    select t.* from unnest($7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::timestamptz[], $13::entry[], $14::text[])
      as t (id, wallet_id, sequence, amount, balance, created_at, entry, trans_id)
      join updated on updated.id = t.wallet_id
  ), refused as (
    insert into refusals (wallet_id, amount, balance, created_at, entry, code, trans_id)
    select f.* from unnest($15::bigint[], $16::bigint[], $17::bigint[], $18::timestamptz[], $19::entry[], $20::refusal_code[], $21::text[])
      as f (wallet_id, amount, balance, created_at, entry, code, trans_id)
      join updated on updated.id = f.wallet_id
  ), announced as (
    insert into outbox (partition, key, payload, headers)
    select o.partition, o.key, o.payload, o.headers
      from unnest($8::bigint[], $22::int[], $23::text[], $24::text[], $25::json[]) with ordinality
        as o (wallet_id, partition, key, payload, headers, place)
      join updated on updated.id = o.wallet_id
     order by o.place
  )
  select id from updated`

const WRITE = { name: 'write-ledger', text: write('for no key update of w') }
const WRITE_UNLOCKED = { name: 'write-ledger-unlocked', text: write('for no key update of w skip locked') }

export interface WriteOptions {
  /** Leaves a wallet alone that somebody else has locked, as if its version had moved, and waits for nobody. */
  skipLocked?: boolean
}

/** Writes what was decided, and returns the ids of the wallets for which it was. */
export async function writeLedger(
  pool: Pool,
  write: LedgerWrite,
  { skipLocked = false }: WriteOptions,
): Promise<Set<number>> {
  const { wallets, transactions, refusals, outbox } = write
  const { rows } = await pool.query<{ id: number }>({
    ...(skipLocked ? WRITE_UNLOCKED : WRITE),
    values: [
      write.generation,
      ...columns(wallets, ['id', 'version', 'balance', 'sequence', 'updated_at']),
      ...columns(transactions, ['id', 'wallet_id', 'sequence', 'amount', 'balance', 'created_at', 'entry', 'trans_id']),
      ...columns(refusals, ['wallet_id', 'amount', 'balance', 'created_at', 'entry', 'code', 'trans_id']),
      ...columns(outbox, ['partition', 'key', 'payload', 'headers']),
    ],
  })
  return new Set(rows.map(({ id }) => id))
}

function columns<Row>(rows: readonly Row[], names: readonly (keyof Row)[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name]))
}
