import type { AccountErrorCode } from '../accounts/errors.ts'
import type { LedgerErrorCode } from '../ledger/errors.ts'
import type { ExportErrorCode } from '../ledger/export-errors.ts'
import type { RequestErrorCode } from '../request-error.ts'

// The HTTP status of each error code, in one place. A missing code is a compile error.

export const ledgerStatus: Record<LedgerErrorCode, number> = {
  insufficient_funds: 422,
  balance_limit: 422,
  trans_id_reused: 422,
  wallet_not_found: 404,
  transaction_not_found: 404,
  busy: 503,
  contended: 503,
  outcome_unknown: 503,
  paused: 503,
}

export const accountStatus: Record<AccountErrorCode, number> = {
  email_taken: 409,
  password_common: 400,
  credentials_invalid: 401,
  refresh_token_invalid: 401,
  log_in_limited: 429,
  sign_in_busy: 503,
}

export const exportStatus: Record<ExportErrorCode, number> = {
  export_not_found: 404,
  export_not_ready: 409,
  export_failed: 409,
  export_cancelled: 409,
  export_expired: 410,
  export_file_missing: 410,
  too_many_exports: 429,
  idempotency_key_reused: 422,
}

export const requestStatus: Record<RequestErrorCode, number> = {
  invalid_request: 400,
  malformed_request: 400,
  unauthenticated: 401,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  body_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  headers_too_large: 431,
  too_many_requests: 429,
  internal_error: 500,
  overloaded: 503,
  unavailable: 503,
}
