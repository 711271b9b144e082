import type { Pool } from 'pg'
import type { LedgerFaultLog } from './ledger-faults.ts'

/** A part of a wallet's history: after < sequence <= through. */
export interface Piece {
  wallet_id: number
  after: number
  through: number
}

export interface History extends Piece {
  rows: number
  /** Credits minus debits; as text, since the sum of a damaged ledger may be too large for a number. */
  moved: string
  /** Adds the faults within the piece. */
  report(faults: LedgerFaultLog): void
}

interface Row extends Piece {
  rows: number
  moved: string
  /** The first missing sequence, unless it comes after the last one that exists. */
  first_missing: number | null
  last_sequence: number | null
  chain_breaks: number
  first_chain_break: number | null
  time_breaks: number
  first_time_break: number | null
}

// A piece also reads the row before it, only to compare with: that row is checked in the previous piece. `offset 0` makes
// Postgres read one range of transactions_sequence_unique per piece, whatever its statistics say. After a gap the chain
// cannot be checked; the gap itself is a fault already.
const HISTORIES = `
  with piece as (
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as piece (wallet_id, after, through)
  ), entries as (
    select piece.wallet_id, piece.after, t.sequence, t.balance, t.created_at,
           case t.entry when 'credit' then t.amount else -t.amount end as moved,
           lag(t.sequence) over history as sequence_before,
           lag(t.balance) over history as balance_before,
           lag(t.created_at) over history as created_before
      from piece cross join lateral (
        select sequence, balance, created_at, entry, amount from transactions
         where wallet_id = piece.wallet_id and sequence >= piece.after and sequence <= piece.through
         order by sequence offset 0
      ) t
    window history as (partition by piece.wallet_id, piece.after order by t.sequence)
  ), judged as (
    select wallet_id, after, sequence, moved,
           coalesce(sequence_before, after) + 1 as wanted,
           case when sequence = 1 then balance <> moved
                when sequence_before = sequence - 1 then balance <> balance_before + moved
                else false end as breaks_chain,
           coalesce(created_at < created_before, false) as breaks_time
      from entries where sequence > after
  )
  select piece.wallet_id, piece.after, piece.through,
         count(j.sequence)::int as rows, coalesce(sum(j.moved), 0)::text as moved,
         min(j.wanted) filter (where j.sequence > j.wanted) as first_missing, max(j.sequence) as last_sequence,
         count(*) filter (where j.breaks_chain)::int as chain_breaks,
         min(j.sequence) filter (where j.breaks_chain) as first_chain_break,
         count(*) filter (where j.breaks_time)::int as time_breaks,
         min(j.sequence) filter (where j.breaks_time) as first_time_break
    from piece left join judged j using (wallet_id, after)
   group by piece.wallet_id, piece.after, piece.through`

export async function readHistories(pool: Pool, pieces: readonly Piece[]): Promise<History[]> {
  const columns = (['wallet_id', 'after', 'through'] as const).map((name) => pieces.map((piece) => piece[name]))
  const { rows } = await pool.query<Row>(HISTORIES, columns)
  return rows.map((row) => ({ ...row, report: (faults) => report(row, faults) }))
}

function report(row: Row, faults: LedgerFaultLog): void {
  const { wallet_id, after, through, rows, chain_breaks, time_breaks } = row
  const missing = through - after - rows
  if (missing > 0) {
    const sequence = row.first_missing ?? (row.last_sequence ?? after) + 1
    const more = missing > 1 ? ` and ${missing - 1} more up to ${through}` : ''
    const message = `wallet ${wallet_id}: sequence ${sequence}${more} is missing`
    faults.add({ kind: 'sequence_gap', wallet_id, sequence, missing, message }, missing)
  }
  if (chain_breaks > 0) {
    const sequence = row.first_chain_break
    const message = `wallet ${wallet_id}: the balance at sequence ${sequence} does not follow from the one before${andMore(chain_breaks)}`
    faults.add({ kind: 'chain_broken', wallet_id, sequence, message }, chain_breaks)
  }
  if (time_breaks > 0) {
    const sequence = row.first_time_break
    const message = `wallet ${wallet_id}: sequence ${sequence} was created before the one before it${andMore(time_breaks)}`
    faults.add({ kind: 'time_backwards', wallet_id, sequence, message }, time_breaks)
  }
}

const andMore = (count: number): string => (count > 1 ? `, and ${count - 1} more of this wallet` : '')
