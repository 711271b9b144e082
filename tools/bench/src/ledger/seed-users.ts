import { transactionPosted } from '@streamledger/events'
import type pg from 'pg'
import type { Installation } from '../stack/open-installation.ts'
import { insertOutboxRows } from './insert-outbox-rows.ts'

/** The opening balance of each wallet: large enough that debits of a run never come near zero. */
const OPENING_KOBO = 1_000_000_000_000

interface OpenedWallet {
  id: number
  user_id: number
  wallet_id: number
  created_at: Date
}

/**
 * Creates users with one wallet each. The first transaction is an opening credit with its event, now or at a given
 * time. Returns the users' ids.
 */
export async function seedUsers(
  { pool, partitions, eventSource }: Pick<Installation, 'pool' | 'partitions' | 'eventSource'>,
  count: number,
  openedAt?: Date,
): Promise<number[]> {
  const { rows } = await pool.query<OpenedWallet>(
    `with person as (
       insert into users (first_name, last_name, email, password)
       select 'Bench', 'User', 'user-' || n || '@bench.example', 'no password fits' from generate_series(1, $1::int) n
       returning id
     ), wallet as (
       insert into wallets (user_id, balance, sequence, version, updated_at)
       select id, $2, 1, 1, coalesce($3, now()) from person order by id
       returning id, user_id, updated_at
     ), opening as (
       insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
       select id, 1, $2, $2, updated_at, 'credit', 'opening' from wallet
       returning id, wallet_id, created_at
     )
     select opening.id, user_id, wallet_id, created_at from opening join wallet on wallet.id = wallet_id order by user_id`,
    [count, OPENING_KOBO, openedAt],
  )
  await announce(pool, rows, { partitions, source: eventSource })
  return rows.map(({ user_id }) => user_id)
}

async function announce(
  pool: pg.Pool,
  rows: readonly OpenedWallet[],
  context: { partitions: number; source: string },
): Promise<void> {
  const events = rows.map((row) =>
    transactionPosted(
      {
        ...{ ...row, sequence: 1, entry: 'credit', trans_id: 'opening', currency: 'NGN' },
        ...{ amount: OPENING_KOBO, balance: OPENING_KOBO },
      },
      context,
    ),
  )
  await insertOutboxRows(pool, events)
}
