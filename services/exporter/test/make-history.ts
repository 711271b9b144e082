import { randomUUID } from 'node:crypto'
import type { Db, Entry } from '@streamledger/db'
import { sql } from 'kysely'

export interface History {
  walletId: number
  rows: number
}

/** The instant of a history's transaction n (1, 2, …): half a minute and some milliseconds after the one before it. */
export function instantOf(sequence: number): Date {
  return new Date(Date.UTC(2026, 0, 1) + sequence * 30_007)
}

async function makeWallet(db: Db): Promise<number> {
  const user = await db
    .insertInto('users')
    .values({ first_name: 'Ada', last_name: 'Obi', email: `${randomUUID()}@example.com`, password: 'not a hash' })
    .returning('id')
    .executeTakeFirstOrThrow()
  const wallet = await db.insertInto('wallets').values({ user_id: user.id }).returning('id').executeTakeFirstOrThrow()
  return wallet.id
}

/** A wallet with `rows` transactions, every third a debit, whose balances add up. */
export async function makeHistory(db: Db, rows: number): Promise<History> {
  const walletId = await makeWallet(db)
  if (rows > 0) await addHistory(db, { walletId, rows: 0 }, rows)
  return { walletId, rows }
}

/** Appends to a history, as posting does: sequence and balance go on from the last. */
export async function addHistory(db: Db, { walletId, rows: from }: History, rows: number): Promise<void> {
  await sql`
    insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
    select ${walletId}, n, amount,
           (select balance from wallets where id = ${walletId})
             + sum(case entry when 'credit' then amount else -amount end) over (order by n),
           ${instantOf(0)}::timestamptz + n * interval '30.007 seconds', entry, 'order-' || n
    from (select n, (case when n % 3 = 0 then 'debit' else 'credit' end)::entry as entry,
                 case when n % 3 = 0 then 5000 + n * 104729 % 5000 else 10000 + n * 7919 % 90000 end as amount
          from generate_series(${from}::bigint + 1, ${from}::bigint + ${rows}) n) drawn`.execute(db)
  await sql`
    update wallets set (balance, sequence) =
      (select balance, sequence from transactions where wallet_id = ${walletId} order by sequence desc limit 1),
      version = version + 1
    where id = ${walletId}`.execute(db)
}

export interface ChosenTransaction {
  entry?: Entry
  /** In kobo. */
  amount?: number
  trans_id: string
}

/** A wallet with just these transactions, and the balances that they make. */
export async function makeChosenHistory(db: Db, chosen: readonly ChosenTransaction[]): Promise<History> {
  const walletId = await makeWallet(db)
  let balance = 0
  const rows = chosen.map(({ entry = 'credit', amount = 100, trans_id }, index) => {
    balance += entry === 'credit' ? amount : -amount
    const sequence = index + 1
    return { wallet_id: walletId, sequence, created_at: instantOf(sequence), entry, amount, balance, trans_id }
  })
  if (rows.length > 0) await db.insertInto('transactions').values(rows).execute()
  await db.updateTable('wallets').set({ sequence: rows.length, balance }).where('id', '=', walletId).execute()
  return { walletId, rows: rows.length }
}
