import type { Pool } from 'pg'
import type { Verification } from './ledger-faults.ts'

interface Row {
  wallet_id: number
  trans_id: string
  /** A transaction that must not exist. */
  transaction_id: number | null
}

const ROWS_PER_PAGE = 10_000

// A batch writes a trans_id either as a transaction or as a refusal, guarded by the wallet's version. Never both exist.
const PAGE = `
  select page.wallet_id, page.trans_id, t.id as transaction_id
    from (
      select wallet_id, trans_id from refusals
       where (wallet_id, trans_id) > ($1, $2) order by wallet_id, trans_id limit $3
    ) page
    left join lateral (
      select id from transactions where wallet_id = page.wallet_id and trans_id = page.trans_id limit 1
    ) t on true
   order by page.wallet_id, page.trans_id`

/** Looks for refusals that moved money nevertheless. */
export async function verifyRefusals(pool: Pool, { faults, checked, onProgress }: Verification): Promise<void> {
  let last: Row | undefined
  do {
    const values = [last?.wallet_id ?? 0, last?.trans_id ?? '', ROWS_PER_PAGE]
    const { rows } = await pool.query<Row>(PAGE, values)
    for (const { wallet_id, trans_id, transaction_id } of rows.filter((row) => row.transaction_id !== null)) {
      const message = `wallet ${wallet_id}: trans_id ${JSON.stringify(trans_id)} was refused, and has transaction ${transaction_id}`
      faults.add({ kind: 'refusal_with_effect', wallet_id, trans_id, transaction_id, message })
    }
    checked.refusals += rows.length
    onProgress()
    last = rows.length < ROWS_PER_PAGE ? undefined : rows.at(-1)
  } while (last)
}
