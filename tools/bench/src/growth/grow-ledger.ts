import type pg from 'pg'
import { shareOut } from './share-out.ts'

/** When the first transaction was made; each later one follows by the interval. Fifty million take most of a year. */
export const FIRST_AT = new Date('2025-01-01T00:00:00Z')
const INTERVAL_MS = 600
/** Rows per statement: they can be sorted in memory, and a stop loses little. */
const CHUNK_ROWS = 500_000
/** Memory for the sorts of a chunk, and of an index of fifty million rows. */
const SESSION = `set work_mem = '512MB'; set maintenance_work_mem = '1GB'`

/**
 * How full index pages are after single inserts. A newly built index is packed to 90%: smaller than it will ever be
 * again, and each insert would split a page. Measured: with a million rows of 100,000 wallets, single inserts make
 * indexes larger by 1.39 to 1.47.
 */
const SCATTERED_FILL_PERCENT = 62

// Like after posting: the rows of all wallets are mixed in the order of their time; sequences have no gap, and times do
// not decrease within a wallet. Every third row is a debit, smaller than any credit. Chunks and wallets are written in
// one commit.
const GROW = `
  with drawn as (
    select w.id as wallet_id, w.sequence + n as sequence, (n - random()) / h.rows as place, e.entry, e.amount,
           w.balance + sum(case e.entry when 'credit' then e.amount else -e.amount end)
             over (partition by w.id order by n) as balance
      from unnest($1::bigint[], $2::int[]) as h (user_id, rows)
      join wallets w on w.user_id = h.user_id
     cross join lateral generate_series(1, h.rows::bigint) n
     cross join lateral (
       select (case when n % 3 = 0 then 'debit' else 'credit' end)::entry as entry,
              case when n % 3 = 0 then 1 + n * 104729 % 500 else 1000 + n * 7919 % 90000 end as amount
     ) e
  ), written as (
    insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
    select wallet_id, sequence, amount, balance, $3::timestamptz + place * $4 * interval '1 ms', entry, gen_random_uuid()
      from drawn order by place
    returning wallet_id, sequence, balance, created_at
  ), last as (
    select distinct on (wallet_id) * from written order by wallet_id, sequence desc
  )
  update wallets w
     set balance = last.balance, sequence = last.sequence, updated_at = last.created_at, version = w.version + 1
    from last where w.id = last.wallet_id`

export interface GrowLedger {
  readonly users: readonly number[]
  /** Number of transactions to reach. */
  readonly size: number
  readonly signal: AbortSignal
  /** Called after each chunk. */
  readonly onChunk: (rows: number) => void
}

/** The time of the last of this many transactions. */
export const lastAt = (rows: number): Date => new Date(FIRST_AT.getTime() + rows * INTERVAL_MS)

/** The number of transactions: each raises its wallet's sequence by one. */
export async function countTransactions(pool: pg.Pool | pg.ClientBase): Promise<number> {
  const { rows } = await pool.query('select coalesce(sum(sequence), 0)::bigint as count from wallets')
  return rows[0].count
}

/**
 * Writes histories up to a size, without requests and without events. Indexes and constraints are created afterwards:
 * with them, writing would take five times as long.
 */
export async function growLedger(client: pg.ClientBase, { users, size, signal, onChunk }: GrowLedger): Promise<void> {
  await client.query(SESSION)
  const restore = await dropIndexes(client)
  for (let written = await countTransactions(client); written < size; ) {
    signal.throwIfAborted()
    const rows = Math.min(CHUNK_ROWS, size - written)
    const shares = shareOut(rows, users.length)
    await client.query(GROW, [users, shares, lastAt(written), rows * INTERVAL_MS])
    written += rows
    onChunk(written)
  }
  await restore(signal)
  // The relay would have published and deleted them.
  await client.query('truncate outbox')
  await client.query('vacuum (analyze) transactions')
  await client.query('vacuum (analyze) wallets')
}

interface Definition {
  readonly name: string
  readonly definition: string
  /** Its entries come in random order, because wallets take turns; those of an id are ascending. */
  readonly isScattered: boolean
}

const CONSTRAINTS = `
  select conname as name, pg_get_constraintdef(oid) as definition, contype = 'u' as "isScattered" from pg_constraint
   where conrelid = 'transactions'::regclass and contype in ('p', 'u', 'f') order by contype = 'f', conname`

const INDEXES = `
  select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition, true as "isScattered" from pg_index
   where indrelid = 'transactions'::regclass
     and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))`

/**
 * Drops all indexes and constraints that each insert would have to maintain or check; returns a function that restores
 * them.
 */
async function dropIndexes(client: pg.ClientBase): Promise<(signal: AbortSignal) => Promise<void>> {
  const constraints = (await client.query<Definition>(CONSTRAINTS)).rows
  const indexes = (await client.query<Definition>(INDEXES)).rows
  for (const { name } of constraints) await client.query(`alter table transactions drop constraint ${name}`)
  for (const { name } of indexes) await client.query(`drop index ${name}`)
  return async (signal) => {
    const statements = [
      ...indexes.map((one) => ({ ...one, statement: one.definition })),
      ...constraints.map((one) => ({ ...one, statement: `alter table transactions add constraint ${one.name} ${one.definition}` })), // biome-ignore format: one thought
    ]
    for (const { name, statement, isScattered } of statements) {
      signal.throwIfAborted()
      await client.query(isScattered ? `${statement} with (fillfactor = ${SCATTERED_FILL_PERCENT})` : statement)
      // Existing pages stay as they are; from now on they fill up as usual.
      if (isScattered) await client.query(`alter index ${name} reset (fillfactor)`)
    }
  }
}
