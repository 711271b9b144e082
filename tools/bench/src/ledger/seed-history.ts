import type pg from 'pg'

export interface SeedHistory {
  /** Whose wallets get a history, and how many transactions each. */
  readonly users: readonly number[]
  readonly rows: readonly number[]
}

// Every third is a debit, smaller than any credit, so that no balance falls below what it was. Rows of all wallets are
// written in the order of their time, as posting would have left them: a page of a wallet's history lies scattered
// among everyone else's.
const SEED = `
  insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
  select wallet_id, sequence + n, amount,
         balance + sum(case entry when 'credit' then amount else -amount end) over (partition by wallet_id order by n),
         updated_at + n * interval '1 microsecond', entry, 'history-' || n
    from (
      select w.id as wallet_id, w.sequence, w.balance, w.updated_at, n, n::float8 / h.rows as place,
             (case when n % 3 = 0 then 'debit' else 'credit' end)::entry as entry,
             case when n % 3 = 0 then 1 + n * 104729 % 500 else 1000 + n * 7919 % 90000 end as amount
        from unnest($1::bigint[], $2::int[]) as h (user_id, rows)
        join wallets w on w.user_id = h.user_id
       cross join lateral generate_series(1, h.rows::bigint) n
    ) drawn
   order by place`

const SETTLE = `
  update wallets w
     set balance = last.balance, sequence = last.sequence, version = w.version + 1, updated_at = last.created_at
    from (select id as wallet_id from wallets where user_id = any($1::bigint[])) chosen
   cross join lateral (
     select balance, sequence, created_at from transactions where wallet_id = chosen.wallet_id order by sequence desc limit 1
   ) last
   where w.id = chosen.wallet_id`

/** Gives wallets a history without a request and without events. */
export async function seedHistory(pool: pg.Pool, { users, rows }: SeedHistory): Promise<void> {
  await pool.query(SEED, [users, rows])
  await pool.query(SETTLE, [users])
  await pool.query('vacuum (analyze) transactions')
  await pool.query('vacuum (analyze) wallets')
}
