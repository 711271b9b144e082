import { ApiError } from '../errors.ts'
import type { ByteRange } from '../ledger/export-files.ts'

const ONE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/

/**
 * Returns the part of a file that a Range header asks for (RFC 9110, section 14), or undefined for the whole file.
 * Several ranges at once and invalid headers mean the whole file, which the standard allows.
 *
 * @throws ApiError `range_not_satisfiable`
 */
export function readByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = ONE_RANGE.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const range =
    first === ''
      ? { start: Math.max(0, size - Number(last)), end: size - 1 }
      : { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
  if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined
  if (range.start >= size)
    throw new ApiError('range_not_satisfiable', { headers: { 'content-range': `bytes */${size}` } })
  return range
}
