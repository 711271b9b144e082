import { type Db, type Entry, type LedgerTransaction, refusalColumns, transactionColumns } from '@streamledger/db'
import { sql } from 'kysely'
import { ApiError } from '../errors.ts'
import type { Recorded } from './decide.ts'
import { gather, type ReadOptions } from './gather.ts'
import { isSynchronous, type Vouch, vouchFor } from './vouch.ts'
import { ownWallet } from './wallet-reader.ts'

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

interface TransactionPage {
  transactions: LedgerTransaction[]
  /** Where the next page begins, if there is one. */
  next: number | undefined
}

/** One page, newest first; pages neither overlap nor skip while new transactions arrive. */
async function listTransactions(db: Db, request: TransactionPageRequest): Promise<TransactionPage> {
  return toPage(await selectPage(db, request).execute(), request.limit)
}

/** Makes a page of up to `limit + 1` rows; the extra one shows if there is a next page. Must not change `rows`. */
function toPage(rows: readonly LedgerTransaction[], limit: number): TransactionPage {
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

const COLUMNS = sql.join(transactionColumns.map((name) => sql.ref(name)))

export interface TransactionPages {
  /** @throws ApiError `busy` */
  read(request: TransactionPageRequest): Promise<TransactionPage>
}

const BOUNDS = { queriesMax: 2, keysMax: 32, waitingMax: 5_000 }
const NEWEST = Number.MAX_SAFE_INTEGER

/** Reads pages. Pages without filters, the most common case, share a query with those of concurrent requests. */
export function createTransactionPages(db: Db, { timeoutMs }: ReadOptions): TransactionPages {
  const find = gather((keys: string[]) => selectPages(db, keys), { ...BOUNDS, timeoutMs })
  return {
    async read(request) {
      const { user_id, before, limit, entry, from, to } = request
      if (entry !== undefined || from !== undefined || to !== undefined) return listTransactions(db, request)
      return toPage((await find([user_id, before ?? NEWEST, limit].join())) ?? [], limit)
    },
  }
}

type Row = LedgerTransaction & { place: number }

/**
 * A key is a user, the sequence that all rows are below, and the limit. One extra row shows if there is a next page.
 */
async function selectPages(db: Db, keys: string[]): Promise<Map<string, LedgerTransaction[]>> {
  const requests = keys.map((key) => key.split(',').map(Number) as [number, number, number])
  const { rows } = await sql<Row>`
    select request.place::int as place, page.*
      from unnest(
             ${requests.map(([user_id]) => user_id)}::bigint[],
             ${requests.map(([, before]) => before)}::bigint[],
             ${requests.map(([, , limit]) => limit + 1)}::int[]
           ) with ordinality as request (user_id, before, rows, place)
     cross join lateral (
       select ${COLUMNS} from transactions
        where wallet_id = (select id from wallets where user_id = request.user_id) and sequence < request.before
        order by sequence desc
        limit request.rows
     ) page`.execute(db)
  const pages = new Map<string, LedgerTransaction[]>()
  for (const { place, ...transaction } of rows) {
    const key = keys[place - 1] as string
    const page = pages.get(key)
    if (page) page.push(transaction)
    else pages.set(key, [transaction])
  }
  return pages
}

/**
 * Returns a transaction, once it is as durable as a commit.
 *
 * @throws ApiError `transaction_not_found`, also for a transaction of another user
 */
export async function getTransaction(
  db: Db,
  vouch: Vouch,
  user_id: number,
  transaction_id: number,
): Promise<LedgerTransaction> {
  const transaction = await db
    .selectFrom('transactions')
    .select(transactionColumns)
    .select(isSynchronous)
    .where('id', '=', transaction_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .executeTakeFirst()
  if (!transaction) throw new ApiError('transaction_not_found')
  return vouchFor(vouch, transaction)
}

/**
 * Returns the recorded outcome of a trans_id, once it is as durable as a commit. Never executes anything.
 *
 * @throws ApiError `transaction_not_found` when nothing is recorded; a request still under way may change that
 */
export async function getOutcome(db: Db, vouch: Vouch, user_id: number, trans_id: string): Promise<Recorded> {
  // Two queries are no race: a trans_id is recorded once, in one of the two tables, and stays there.
  const transaction = await db
    .selectFrom('transactions')
    .select(transactionColumns)
    .select(isSynchronous)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('trans_id', '=', trans_id)
    .executeTakeFirst()
  if (transaction) return { kind: 'transaction', transaction: await vouchFor(vouch, transaction) }

  const refusal = await db
    .selectFrom('refusals')
    .select(refusalColumns)
    .select(isSynchronous)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('trans_id', '=', trans_id)
    .executeTakeFirst()
  if (refusal) return { kind: 'refusal', refusal: await vouchFor(vouch, refusal) }
  throw new ApiError('transaction_not_found')
}
