import { isRetryable, isUnavailable } from '@streamledger/db'
import { ApiError, ERRORS, type ErrorCode, type ErrorDetails, type InputFault } from '../errors.ts'

/** A failure as the client sees it. */
export interface Failure {
  status: number
  code: ErrorCode
  detail: string
  headers: Record<string, string>
  /** Members of the problem that only some codes have. */
  more: Pick<ErrorDetails, 'errors' | 'balance' | 'fields'>
}

const BEARER = 'Bearer realm="streamledger"'
/** Random within these bounds, so that refused clients do not all come back in the same second. */
const RETRY_AFTER_S = { min: 1, max: 4 }

/** Turns any thrown error into what the client may see. An unknown error becomes `internal_error` without details. */
export function describeFailure(error: unknown): Failure {
  const { code, details } = error instanceof ApiError ? error : classify(error)
  const [status, detail] = ERRORS[code]
  const { replayed, waitS, headers, ...more } = details
  return {
    ...{ status, code, detail, more },
    headers: {
      ...standingHeaders(status),
      ...(replayed && { 'idempotent-replayed': 'true' }),
      ...(waitS !== undefined && { 'retry-after': String(Math.ceil(waitS)) }),
      ...headers,
    },
  }
}

/** Errors of fastify, its parsers, and the database. */
function classify(error: unknown): { code: ErrorCode; details: ErrorDetails } {
  if (isValidationError(error)) return { code: 'invalid_request', details: { errors: faultsOf(error) } }
  return { code: isUnavailable(error) || isRetryable(error) ? 'unavailable' : codeOfForeign(error), details: {} }
}

function codeOfForeign(error: unknown): ErrorCode {
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

/** The fields of Ajv's and fastify's validation errors that are used here. */
interface ValidationError {
  validation: { keyword: string; instancePath: string; message?: string; params: Record<string, unknown> }[]
  validationContext?: string
}

/** A body may have thousands of faults; the first few are enough. */
export const FAULTS_MAX = 20
export const POINTER_CHARACTERS_MAX = 200

const PLACES: Record<string, InputFault['in']> = {
  body: 'body',
  querystring: 'query',
  headers: 'header',
  params: 'path',
}

function isValidationError(error: unknown): error is ValidationError {
  return Array.isArray((error as { validation?: unknown } | null)?.validation)
}

function faultsOf({ validation, validationContext = 'body' }: ValidationError): InputFault[] {
  return validation.slice(0, FAULTS_MAX).map(({ keyword, instancePath, message = 'is not valid', params }) => {
    const fault = (name: unknown, reason: string): InputFault => ({
      in: PLACES[validationContext] ?? 'body',
      pointer: (instancePath + (name === undefined ? '' : `/${escapePointer(String(name))}`)).slice(
        0,
        POINTER_CHARACTERS_MAX,
      ),
      reason,
    })
    switch (keyword) {
      case 'required':
        return fault(params.missingProperty, 'is required')
      case 'additionalProperties':
        return fault(params.additionalProperty, 'is not known')
      case 'pattern':
        return fault(undefined, 'has characters that are not allowed here')
      case 'enum':
        return fault(undefined, `must be one of ${(params.allowedValues as unknown[]).join(', ')}`)
      default:
        return fault(undefined, message)
    }
  })
}

/** RFC 6901. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
