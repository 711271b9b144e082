import type pg from 'pg'

/** Faults of histories, counted. */
export interface WalletFaults {
  /** Wallets whose balance is not the sum of their entries. */
  wrong_balances: number
  /** Places where a wallet's sequence does not go on by one, or does not end where the wallet says. */
  sequence_gaps: number
  /** Transactions whose balance is not the one before, plus or minus the amount. */
  chain_breaks: number
}

/** Faults of a ledger, counted. All are zero for a correct ledger. */
export interface LedgerFaults extends WalletFaults {
  /** Transactions without an outbox row or event. */
  unannounced: number
  /** Transactions with more than one. */
  announced_twice: number
  /** Outbox rows or events without a transaction, or with another content. */
  foreign: number
}

export interface LedgerVerdict {
  transactions: number
  refusals: number
  faults: LedgerFaults
}

const WALLETS = `
  with entries as (
    select wallet_id, sequence, balance, case entry when 'credit' then amount else -amount end as moved,
           lag(balance, 1, 0::bigint) over earlier as balance_before,
           lag(sequence, 1, 0::bigint) over earlier as sequence_before
      from transactions
     where $1::bigint[] is null or wallet_id = any($1)
    window earlier as (partition by wallet_id order by sequence)
  ), histories as (
    select wallet_id, sum(moved) as total, max(sequence) as last,
           count(*) filter (where sequence <> sequence_before + 1) as gaps,
           count(*) filter (where balance <> balance_before + moved) as breaks
      from entries group by wallet_id
  )
  select count(*) filter (where w.balance <> coalesce(h.total, 0))::int as wrong_balances,
         (coalesce(sum(h.gaps), 0) + count(*) filter (where w.sequence <> coalesce(h.last, 0)))::int as sequence_gaps,
         coalesce(sum(h.breaks), 0)::int as chain_breaks
    from wallets w left join histories h on h.wallet_id = w.id
   where $1::bigint[] is null or w.id = any($1)`

// An event that the relay has published is in bench.events, which is empty where no relay runs; what it has not is
// here.
const ANNOUNCEMENTS = `
  with announced as (
    select e.transaction_id, (e.wallet_id, e.sequence, e.amount, e.balance, e.trans_id) as content
      from outbox, json_to_record(payload::json)
        as e (transaction_id bigint, wallet_id bigint, sequence bigint, amount bigint, balance bigint, trans_id text)
  ), marks as (
    select transaction_id from announced union all select transaction_id from bench.events
  ), counted as (
    select transaction_id, count(*) as times from marks group by transaction_id
  ), differing as (
    select count(*) as rows from announced a join transactions t on t.id = a.transaction_id
     where a.content is distinct from (t.wallet_id, t.sequence, t.amount, t.balance, t.trans_id)
  )
  select count(*) filter (where c.transaction_id is null)::int as unannounced,
         count(*) filter (where t.id is not null and c.times > 1)::int as announced_twice,
         (count(*) filter (where t.id is null) + (select rows from differing))::int as foreign
    from transactions t full join counted c on c.transaction_id = t.id`

/** The table of events that a consumer has seen, for verification and for latencies. */
export const EVENTS_TABLE = `
  create schema if not exists bench;
  create unlogged table if not exists bench.events (
    transaction_id bigint not null, partition integer not null, "offset" bigint not null, seen_at_ms float8 not null
  )`

/** Checks the whole ledger against the promises of the product. */
export async function verifyLedger(pool: pg.Pool): Promise<LedgerVerdict> {
  await pool.query(EVENTS_TABLE)
  const wallets = await verifyWallets(pool)
  const announcements = await pool.query(ANNOUNCEMENTS)
  const counts = await pool.query<{ transactions: number; refusals: number }>(
    'select (select count(*)::int from transactions) as transactions, (select count(*)::int from refusals) as refusals',
  )
  const { transactions = 0, refusals = 0 } = counts.rows[0] ?? {}
  return { transactions, refusals, faults: { ...wallets, ...announcements.rows[0] } }
}

/**
 * Checks the histories of these wallets, or of all. With fifty million transactions only a sample can be read in
 * seconds.
 */
export async function verifyWallets(pool: pg.Pool, walletIds?: readonly number[]): Promise<WalletFaults> {
  const { rows } = await pool.query<WalletFaults>(WALLETS, [walletIds])
  return rows[0] as WalletFaults
}

/** The faults as messages; empty for a correct ledger. */
export function describeFaults(faults: WalletFaults): string[] {
  return Object.entries(faults)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `the ledger is broken: ${count} ${name.replaceAll('_', ' ')}`)
}
