import { statfsSync } from 'node:fs'

export interface WantedDisk {
  readonly sizes: readonly number[]
  /** The sizes that have been written before. */
  readonly present: readonly number[]
  /** Whether a database of each size stays. Otherwise there is one, which grows. */
  readonly keep: boolean
}

/**
 * Bytes per transaction: 353 with its entries in all indexes, as measured, plus the space to sort the largest index.
 */
const ROW_BYTES = 420
/** For the write-ahead log, and for what the runs write. */
const BESIDE_BYTES = 4 * 2 ** 30

/**
 * @returns a message if the missing databases will not fit: a full disk would stop PostgreSQL, and other programs that
 * write to it.
 */
export function refuseForDisk({ sizes, present, keep }: WantedDisk, freeBytes: number): string | undefined {
  const missing = sizes.filter((size) => !present.includes(size))
  if (missing.length === 0) return undefined
  const rows = keep ? missing.reduce((sum, size) => sum + size, 0) : Math.max(...missing)
  const wanted = rows * ROW_BYTES + BESIDE_BYTES
  if (wanted <= freeBytes) return undefined
  return `The tables of growth need ${gigabytes(wanted)} of disk, but only ${gigabytes(freeBytes)} are free: use smaller --sizes.`
}

export function readFreeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

const gigabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 30)} GB`
