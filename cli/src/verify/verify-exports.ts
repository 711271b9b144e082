import type { Pool } from 'pg'
import type { Verification } from './ledger-faults.ts'

interface Row {
  id: string
  status: string
  wallet_id: number
  as_of_sequence: number
  /** The sequence of the wallet, in the same snapshot. */
  sequence: number
  rows_done: number
  rows_total: number | null
  /** The number of rows of its range in the ledger, for an export that has succeeded. */
  rows_wanted: number | null
}

/** A small page: counting an export that is filtered by entry reads as many index entries as it has rows. */
const ROWS_PER_PAGE = 50
const BEFORE_THE_FIRST = '00000000-0000-0000-0000-000000000000'

const PAGE = `
  select e.id, e.status::text as status, e.wallet_id, e.as_of_sequence, w.sequence, e.rows_done, e.rows_total,
         case when e.status not in ('succeeded', 'expired') then null
              when e.entry is null then greatest(0, range.through - range.after)
              else (select count(*) from transactions t
                     where t.wallet_id = e.wallet_id and t.entry = e.entry
                       and t.sequence > range.after and t.sequence <= range.through) end as rows_wanted
    from (select * from exports where id > $1 order by id limit $2) e
    join wallets w on w.id = e.wallet_id
   cross join lateral (
     select case when e.from_at is null then 0 else sequence_before(e.wallet_id, e.from_at) end as after,
            least(e.as_of_sequence, case when e.to_at is null then e.as_of_sequence
                                         else sequence_before(e.wallet_id, e.to_at) end) as through
   ) range
   order by e.id`

/** Compares the row counts of each export with its range in the ledger. */
export async function verifyExports(pool: Pool, { faults, checked, onProgress }: Verification): Promise<void> {
  let last: string | undefined = BEFORE_THE_FIRST
  while (last !== undefined) {
    const { rows }: { rows: Row[] } = await pool.query<Row>(PAGE, [last, ROWS_PER_PAGE])
    for (const row of rows) {
      const complaint = complain(row)
      if (!complaint) continue
      const { id: export_id, wallet_id, status, rows_done } = row
      const message = `export ${export_id} (${status}): ${complaint}`
      faults.add({ kind: 'export_differs', export_id, wallet_id, status, rows_done, message })
    }
    checked.exports += rows.length
    onProgress()
    last = rows.length < ROWS_PER_PAGE ? undefined : rows.at(-1)?.id
  }
}

function complain({ as_of_sequence, sequence, rows_done, rows_total, rows_wanted }: Row): string | undefined {
  if (as_of_sequence > sequence) return `it covers sequence ${as_of_sequence}, and its wallet is only at ${sequence}`
  if (rows_wanted !== null) {
    if (rows_done === rows_wanted && rows_total === rows_wanted) return undefined
    return `it has ${rows_done} rows of ${rows_total}, and its range has ${rows_wanted}`
  }
  // While it runs, or after a failed attempt, it may have any number of them.
  return rows_total !== null && rows_done > rows_total ? `it has ${rows_done} rows of ${rows_total}` : undefined
}
