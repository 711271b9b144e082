import type pg from 'pg'

export const CEILING_WALLETS = 1_000

// Ceiling A: what one commit a request can reach at best with no HTTP, no look-up, no refusal and no second index.
// All that is left out here makes the ceiling higher, never lower.
const SCHEMA = `
  create schema ceiling;
  create table ceiling.wallets (
    id bigint primary key, balance bigint not null, sequence bigint not null
  ) with (fillfactor = 50);
  create table ceiling.transactions (
    id bigint generated always as identity primary key, wallet_id bigint not null, sequence bigint not null,
    amount bigint not null, balance bigint not null, created_at timestamptz not null default now(), trans_id text not null
  );
  create table ceiling.outbox (
    id bigint generated always as identity primary key, key text not null, payload text not null
  );
  create table ceiling.commits (n integer not null);
  create function ceiling.post(wallet bigint, moved bigint, key text) returns bigint language plpgsql as $$
  declare
    now_is ceiling.wallets;
  begin
    update ceiling.wallets set balance = balance + moved, sequence = sequence + 1 where id = wallet returning * into now_is;
    insert into ceiling.transactions (wallet_id, sequence, amount, balance, trans_id)
      values (wallet, now_is.sequence, moved, now_is.balance, key);
    insert into ceiling.outbox (key, payload)
      values (wallet::text, '{"user_id":' || wallet || ',"entry":"credit","amount":' || moved || ',"balance":' || now_is.balance
        || ',"wallet_id":' || wallet || ',"trans_id":"' || key || '","currency":"NGN","sequence":' || now_is.sequence || '}');
    return now_is.balance;
  end
  $$;`

/** Makes the ceiling's own tables, apart from the product's. */
export async function createCeiling(pool: pg.Pool): Promise<void> {
  await pool.query(SCHEMA)
  await pool.query('insert into ceiling.wallets select n, 0, 0 from generate_series(1, $1::int) n', [CEILING_WALLETS])
}
