import { type Db, type LedgerTransaction, transactionColumns } from '@streamledger/db'
import { sql } from 'kysely'
import { gather, type ReadOptions } from './gather.ts'
import { listTransactions, type TransactionPage, type TransactionPageRequest, toPage } from './list-transactions.ts'

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
