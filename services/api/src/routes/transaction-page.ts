import { ApiError } from '../errors.ts'
import type { TransactionPageRequest } from '../ledger/list-transactions.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import { PAGE_LIMIT } from '../schemas/common.ts'
import { readFilters, type SentFilters } from './read-filters.ts'

const LIST = 'transactions'

export interface SentTransactionQuery extends SentFilters {
  limit?: number
  cursor?: string
}

/** The content of a cursor: where the page begins, and the filters of the list. */
interface Position extends SentFilters {
  before: number
}

/** @throws ApiError `invalid_request` for a cursor of another list or user, or with other filters */
export function readTransactionPage(
  cursors: PageCursors,
  user_id: number,
  { limit = PAGE_LIMIT, cursor, ...sent }: SentTransactionQuery,
): TransactionPageRequest {
  if (cursor === undefined) return { user_id, limit, ...readFilters(sent, 'query') }

  const position = cursors.open(LIST, user_id, cursor) as Position | undefined
  if (!position) throw refuseCursor('was not made for this list')
  const { before, ...sealed } = position
  const filters = readFilters(sealed, 'query')
  const again = readFilters(sent, 'query')
  for (const name of ['entry', 'from', 'to'] as const) {
    const differs = sent[name] !== undefined && again[name]?.valueOf() !== filters[name]?.valueOf()
    if (differs) throw refuseCursor(`was made with another ${name}`)
  }
  return { user_id, limit, before, ...filters }
}

export function nextTransactions(
  cursors: PageCursors,
  { user_id, entry, from, to }: TransactionPageRequest,
  next: number | undefined,
): string | null {
  if (next === undefined) return null
  return cursors.seal(LIST, user_id, { before: next, entry, from, to })
}

function refuseCursor(reason: string): ApiError {
  return new ApiError('invalid_request', { errors: [{ in: 'query', pointer: '/cursor', reason }] })
}
