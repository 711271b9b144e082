export const exportErrors = {
  export_not_found: 'There is no such export.',
  export_not_ready: 'This export is not finished yet.',
  export_failed: 'This export has failed. Order it again.',
  export_cancelled: 'This export was cancelled.',
  export_expired: 'The file of this export has expired. Order it again.',
  export_file_missing: 'The file of this export is missing. Order it again.',
  too_many_exports: 'You have too many unfinished exports. Wait for one to finish, or cancel one.',
  idempotency_key_reused: 'This Idempotency-Key was used for an export with other filters.',
} as const
export type ExportErrorCode = keyof typeof exportErrors

/** Why a request about an export failed. */
export class ExportError extends Error {
  override name = 'ExportError'
  readonly code: ExportErrorCode
  constructor(code: ExportErrorCode, options?: ErrorOptions) {
    super(exportErrors[code], options)
    this.code = code
  }
}
