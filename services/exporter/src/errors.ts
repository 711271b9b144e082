import { isUnavailable } from '@streamledger/db'

/** Why an export failed for good. The code is stored in `exports.error` and shown to the user. */
export const exportFailures = {
  database_unavailable: 'The database did not answer in time.',
  storage_full: 'The storage for export files is full.',
  storage_unavailable: 'The file could not be stored.',
  rows_changed: 'The number of rows written differs from the number counted.',
  balances_differ: 'The rows do not add up to the balances of the period.',
  exporter_lost: 'Each exporter that tried was killed before it finished.',
  internal_error: 'The export failed because of an internal error.',
} as const
export type ExportFailure = keyof typeof exportFailures

/** Why an attempt ended before its file was published, though nothing failed. */
const attemptEndings = {
  cancelled: 'The export was cancelled.',
  replaced: 'Another attempt has taken over this export.',
  interrupted: 'This exporter is stopping; the export goes back into the queue.',
} as const
export type AttemptEnding = keyof typeof attemptEndings

const messages = { ...exportFailures, ...attemptEndings }

export class ExportError extends Error {
  override name = 'ExportError'
  readonly code: ExportFailure | AttemptEnding
  constructor(code: ExportFailure | AttemptEnding, options?: ErrorOptions) {
    super(messages[code], options)
    this.code = code
  }
}

export function endedBy(error: unknown, ending: AttemptEnding): boolean {
  return error instanceof ExportError && error.code === ending
}

const STORAGE_FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
/** File system errors that the storage folder can raise. */
const STORAGE = new Set(['EACCES', 'EBUSY', 'EEXIST', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT', 'ENOTDIR', 'EPERM', 'EROFS'])

/** The failure's code, for the user and for the metric. */
export function failureOf(error: unknown): ExportFailure {
  if (error instanceof ExportError && error.code in exportFailures) return error.code as ExportFailure
  if (isUnavailable(error)) return 'database_unavailable'
  const code = String((error as { code?: unknown } | null)?.code)
  if (STORAGE_FULL.has(code)) return 'storage_full'
  return STORAGE.has(code) ? 'storage_unavailable' : 'internal_error'
}
