import { ApiError, type InputFault } from '../errors.ts'
import type { TransactionFilters } from '../ledger/list-transactions.ts'

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
