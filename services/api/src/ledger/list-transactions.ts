import { type Db, type Entry, type LedgerTransaction, transactionColumns } from '@streamledger/db'
import { sql } from 'kysely'
import { ownWallet } from './own-wallet.ts'

export interface TransactionFilters {
  entry?: Entry | undefined
  /** Inclusive. */
  from?: Date | undefined
  /** Exclusive. */
  to?: Date | undefined
}

export interface TransactionPageRequest extends TransactionFilters {
  user_id: number
  limit: number
  /** The last sequence of the previous page. */
  before?: number | undefined
}

export interface TransactionPage {
  transactions: LedgerTransaction[]
  /** Where the next page begins, if there is one. */
  next: number | undefined
}

/** One page, newest first; pages neither overlap nor skip while new transactions arrive. */
export async function listTransactions(db: Db, request: TransactionPageRequest): Promise<TransactionPage> {
  return toPage(await selectPage(db, request).execute(), request.limit)
}

/** Makes a page of up to `limit + 1` rows; the extra one shows if there is a next page. Must not change `rows`. */
export function toPage(rows: readonly LedgerTransaction[], limit: number): TransactionPage {
  const transactions = rows.slice(0, limit)
  return { transactions, next: rows.length > limit ? transactions.at(-1)?.sequence : undefined }
}

/**
 * A page is a range of sequences, with any filters and at any depth. It costs one descent of an index, the rows of the
 * page, and one more row that shows whether there is a next page.
 */
export function selectPage(db: Db, { user_id, limit, before, entry, from, to }: TransactionPageRequest) {
  const wallet = ownWallet(user_id)
  let query = db
    .selectFrom('transactions')
    .select(transactionColumns)
    .where('wallet_id', '=', wallet)
    .orderBy('sequence', 'desc')
    .limit(limit + 1)
  if (before !== undefined) query = query.where('sequence', '<', before)
  if (entry !== undefined) query = query.where('entry', '=', entry)
  if (from !== undefined) query = query.where('sequence', '>', sql<number>`sequence_before(${wallet}, ${from})`)
  if (to !== undefined) query = query.where('sequence', '<=', sql<number>`sequence_before(${wallet}, ${to})`)
  return query
}
