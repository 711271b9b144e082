import { isRetryable, isUnavailable } from '@streamledger/db'
import { AccountError } from '../accounts/errors.ts'
import { InputError, type InputFault } from '../input-error.ts'
import { LedgerError } from '../ledger/errors.ts'
import { ExportError } from '../ledger/export-errors.ts'
import { RequestError, type RequestErrorCode, requestErrors } from '../request-error.ts'
import { accountStatus, exportStatus, ledgerStatus, requestStatus } from './problem-status.ts'
import { faultsOf, type ValidationError } from './validation-faults.ts'

/** A failure as the client sees it. */
export interface Failure {
  status: number
  code: string
  detail: string
  headers?: Record<string, string> | undefined
  errors?: readonly InputFault[]
  balance?: number | undefined
  fields?: string[] | undefined
}

const REPLAYED = { 'idempotent-replayed': 'true' }
const BEARER = 'Bearer realm="streamledger"'
/** Random within these bounds, so that refused clients do not all come back in the same second. */
const RETRY_AFTER_S = { min: 1, max: 4 }

/** Turns any thrown error into what the client may see. An unknown error becomes `internal_error` without details. */
export function describeFailure(error: unknown): Failure {
  const failure = classify(error)
  return { ...failure, headers: { ...standingHeaders(failure.status), ...failure.headers } }
}

function classify(error: unknown): Failure {
  if (error instanceof LedgerError) {
    const { code, message: detail, details } = error
    const { balance, fields, replayed } = details
    return { status: ledgerStatus[code], code, detail, balance, fields, headers: replayed ? REPLAYED : {} }
  }
  if (error instanceof AccountError) return accountFailure(error)
  if (error instanceof ExportError) {
    return { status: exportStatus[error.code], code: error.code, detail: error.message }
  }
  if (error instanceof RequestError) return requestFailure(error.code, { headers: error.headers })
  if (error instanceof InputError) return requestFailure('invalid_request', { errors: error.faults })
  if (isValidationError(error)) return requestFailure('invalid_request', { errors: faultsOf(error) })
  if (isUnavailable(error) || isRetryable(error)) return requestFailure('unavailable')
  return requestFailure(codeOfForeign(error))
}

function accountFailure({ code, message: detail, waitS }: AccountError): Failure {
  const headers = waitS === undefined ? {} : { 'retry-after': String(Math.ceil(waitS)) }
  const failure = { status: accountStatus[code], code, detail, headers }
  if (code !== 'password_common') return failure
  return { ...failure, errors: [{ in: 'body', pointer: '/password', reason: 'is too common' }] }
}

function requestFailure(code: RequestErrorCode, more: Partial<Failure> = {}): Failure {
  return { status: requestStatus[code], code, detail: requestErrors[code], ...more }
}

/** Maps errors of fastify and its parsers to a code, by their status. */
function codeOfForeign(error: unknown): RequestErrorCode {
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  if (typeof status !== 'number' || status < 400 || status >= 500) return 'internal_error'
  switch (status) {
    case 401:
      return 'unauthenticated'
    case 404:
    case 414: // a path parameter that is longer than any valid one
      return 'not_found'
    case 413:
      return 'body_too_large'
    case 415:
      return 'unsupported_media_type'
    default:
      return 'malformed_request'
  }
}

function standingHeaders(status: number): Record<string, string> {
  switch (status) {
    case 401:
      return { 'www-authenticate': BEARER } // RFC 9110: every 401 names a scheme
    case 429:
    case 503:
      return { 'retry-after': retryAfter() }
    default:
      return {}
  }
}

function retryAfter(): string {
  const { min, max } = RETRY_AFTER_S
  return String(min + Math.floor(Math.random() * (max - min + 1)))
}

function isValidationError(error: unknown): error is ValidationError {
  return Array.isArray((error as { validation?: unknown } | null)?.validation)
}
