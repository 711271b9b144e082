import type pg from 'pg'

/** Each row once, and each user's in the order in which they were written. */
export async function findFaults(pool: pg.Pool, { rows, users }: { rows: number; users: number }): Promise<string[]> {
  const { rows: found } = await pool.query<{ seen: number; distinct: number; disorder: number }>(
    `select count(*)::int as seen, count(distinct transaction_id)::int as distinct,
            count(*) filter (where transaction_id < before)::int as disorder
       from (
         select transaction_id, lag(transaction_id) over (partition by transaction_id % $1 order by "offset") as before
           from bench.events
       ) events`,
    [users],
  )
  const { seen = 0, distinct = 0, disorder = 0 } = found[0] ?? {}
  return [
    ...(distinct === rows ? [] : [`${rows - distinct} of ${rows} rows were never published`]),
    ...(seen === distinct ? [] : [`${seen - distinct} rows were published twice`]),
    ...(disorder === 0 ? [] : [`${disorder} rows were published out of order`]),
  ]
}
