import { ApiError, type InputFault } from '../errors.ts'
import type { ExportPageRequest, ExportPosition } from '../ledger/exports.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import type { TransactionFilters, TransactionPageRequest } from '../ledger/transactions.ts'
import { PAGE_LIMIT } from '../schemas/common.ts'

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

  const position = cursors.open('transactions', user_id, cursor) as Position | undefined
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
  return cursors.seal('transactions', user_id, { before: next, entry, from, to })
}

function refuseCursor(reason: string): ApiError {
  return new ApiError('invalid_request', { errors: [{ in: 'query', pointer: '/cursor', reason }] })
}

/** @throws ApiError `invalid_request` for a cursor of another list or user */
export function readExportPage(
  cursors: PageCursors,
  user_id: number,
  { limit = PAGE_LIMIT, cursor }: { limit?: number; cursor?: string },
): ExportPageRequest {
  if (cursor === undefined) return { user_id, limit }
  const position = cursors.open('exports', user_id, cursor) as { created_at: string; id: string } | undefined
  if (!position)
    throw new ApiError('invalid_request', {
      errors: [{ in: 'query', pointer: '/cursor', reason: 'was not made for this list' }],
    })
  return { user_id, limit, before: { id: position.id, created_at: new Date(position.created_at) } }
}

export function nextExports(cursors: PageCursors, user_id: number, next: ExportPosition | undefined): string | null {
  return next ? cursors.seal('exports', user_id, { id: next.id, created_at: next.created_at }) : null
}

const YEAR_MAX = 9_999

export interface SentFilters {
  entry?: 'credit' | 'debit'
  from?: string
  to?: string
}

/** @throws ApiError `invalid_request` for an instant that does not exist, or if `from` is later than `to` */
export function readFilters({ entry, from, to }: SentFilters, place: InputFault['in']): TransactionFilters {
  const filters = { entry, from: readInstant(from, 'from', place), to: readInstant(to, 'to', place) }
  if (filters.from && filters.to && filters.from > filters.to) {
    throw new ApiError('invalid_request', {
      errors: [{ in: place, pointer: '/from', reason: 'must not be later than to' }],
    })
  }
  return filters
}

const INSTANT_MAX = Date.UTC(YEAR_MAX, 11, 31, 23, 59, 59, 999)

/**
 * Whether an instant is finer than the milliseconds that a Date keeps. Transactions have whole milliseconds, so such an
 * instant selects the same ones as the next whole millisecond.
 */
const isBeyondMs = (text: string): boolean => /\.\d{3}\d*[1-9]/.test(text)

const isWritable = (instant: Date): boolean => instant.getUTCFullYear() >= 0 && instant.getUTCFullYear() <= YEAR_MAX

function readInstant(text: string | undefined, name: string, place: InputFault['in']): Date | undefined {
  if (text === undefined) return undefined
  const instant = new Date(text)
  // The schema has checked the format. A leap second has that format, but a Date cannot hold it. With its offset, an
  // instant may also fall outside the years 0 to 9999: it could be stored, but RFC 3339 cannot express it in an answer.
  if (Number.isNaN(instant.getTime()) || !isWritable(instant)) {
    throw new ApiError('invalid_request', {
      errors: [{ in: place, pointer: `/${name}`, reason: 'is not an instant that can be stored' }],
    })
  }
  return isBeyondMs(text) ? new Date(Math.min(instant.getTime() + 1, INSTANT_MAX)) : instant
}
