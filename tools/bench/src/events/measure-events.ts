import type pg from 'pg'

/** A span of the database's clock, in ms since 1970. */
export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/** Tables whose rows were committed together with an outbox row, and have the event's id. */
export type Source = 'transactions' | 'bench.marks'

export interface Latencies {
  events: number
  p50_ms: number
  p90_ms: number
  p99_ms: number
}

/**
 * From commit to the consumer's sight, for what was committed in a window. The commit's time is Postgres's own
 * (track_commit_timestamp), taken just before the flush: nothing of the commit is left out in the product's favour.
 */
export async function measureLatencies(pool: pg.Pool, source: Source, { fromMs, toMs }: Window): Promise<Latencies> {
  const { rows } = await pool.query<{ events: number; ms: number[] }>(
    `with latency as (
       select e.seen_at_ms - commit.ms as ms
         from ${source} t
         join bench.events e on e.transaction_id = t.id
        cross join lateral (select extract(epoch from pg_xact_commit_timestamp(t.xmin))::float8 * 1000 as ms) commit
        where commit.ms between $1 and $2
     )
     select count(*)::int as events, percentile_disc(array[0.5, 0.9, 0.99]) within group (order by ms) as ms from latency`,
    [fromMs, toMs],
  )
  const { events = 0, ms = null } = rows[0] ?? {}
  const [p50_ms = Number.NaN, p90_ms = Number.NaN, p99_ms = Number.NaN] = ms ?? []
  return { events, p50_ms, p90_ms, p99_ms }
}

/** How many transactions a second were committed, in each whole slice of a window. */
export async function measureRates(pool: pg.Pool, { fromMs, toMs }: Window, sliceS: number): Promise<number[]> {
  const { rows } = await pool.query<{ slice: number; transactions: number }>(
    `select floor((commit.ms - $1) / $3)::int as slice, count(*)::int as transactions
       from transactions t
      cross join lateral (select extract(epoch from pg_xact_commit_timestamp(t.xmin))::float8 * 1000 as ms) commit
      where commit.ms >= $1 and commit.ms < $2
      group by slice`,
    [fromMs, toMs, sliceS * 1_000],
  )
  const whole = Math.floor((toMs - fromMs) / (sliceS * 1_000))
  const bySlice = new Map(rows.map(({ slice, transactions }) => [slice, transactions]))
  return Array.from({ length: whole }, (_, slice) => (bySlice.get(slice) ?? 0) / sliceS)
}

/** How many of the wallets' events a consumer saw before an earlier one, or in another partition. */
export async function countDisorder(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ disorder: number }>(
    `select count(*)::int as disorder from (
       select e."offset" < lag(e."offset") over story or e.partition <> lag(e.partition) over story as is_wrong
         from bench.events e join transactions t on t.id = e.transaction_id
       window story as (partition by t.wallet_id order by t.sequence)
     ) seen where is_wrong`,
  )
  return rows[0]?.disorder ?? 0
}
