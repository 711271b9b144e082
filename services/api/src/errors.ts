type ErrorMeaning = readonly [
  status: number,
  /** For people; programs use the code. */
  detail: string,
  /** Whether a program may send the request again, where its status does not say it. */
  again?: string,
]

/** Every error code of the API, by the part of the contract it belongs to. docs/errors.md is generated from this table. */
export const ERROR_TABLE = {
  'Any request': {
    invalid_request: [400, 'The request is not valid.'],
    malformed_request: [
      400,
      'The request could not be read: it must be well-formed HTTP with a well-formed JSON body in UTF-8.',
    ],
    unauthenticated: [401, 'This needs a valid access token: Authorization: Bearer <token>.', 'yes, with a new token'],
    not_found: [404, 'There is nothing at this path.'],
    method_not_allowed: [405, 'This path does not support this method.'],
    request_timeout: [408, 'The request did not arrive in time.'],
    body_too_large: [413, 'The body is larger than this service accepts.'],
    unsupported_media_type: [415, 'The body must be application/json, without a content encoding.'],
    range_not_satisfiable: [416, 'The range lies outside the file.'],
    headers_too_large: [431, 'The headers are larger than this service accepts.'],
    too_many_requests: [429, 'Too many requests from this user or address. Wait, then try again.'],
    internal_error: [
      500,
      'The service failed to handle this request and logged the error. Quote the request_id when you ask for help.',
    ],
    overloaded: [503, 'The service is overloaded. Try again soon.'],
    unavailable: [503, 'The service is temporarily unavailable. Try again soon.'],
  },
  Accounts: {
    email_taken: [409, 'There is already an account with this e-mail address.'],
    password_common: [400, 'This password is too common. Choose another.'],
    credentials_invalid: [401, 'The e-mail address or the password is wrong.'],
    refresh_token_invalid: [401, 'This refresh token is not valid. Log in again.'],
    log_in_limited: [429, 'Too many failed log-ins for this account or from this address. Wait, then try again.'],
    sign_in_busy: [503, 'Too many sign-ups and log-ins at the moment. Try again soon.'],
  },
  'Wallet and transactions': {
    insufficient_funds: [422, 'The balance does not cover this debit.'],
    balance_limit: [422, 'This credit would exceed the largest balance that a wallet can hold.'],
    trans_id_reused: [422, 'This trans_id was used for a different transaction.'],
    wallet_not_found: [404, 'There is no such wallet.'],
    transaction_not_found: [404, 'There is no such transaction.'],
    busy: [503, 'Too many requests are waiting. Try again with the same trans_id.'],
    contended: [503, 'Other requests kept changing this wallet. Try again with the same trans_id.'],
    outcome_unknown: [
      503,
      'The database did not answer in time. Try again with the same trans_id: it takes effect at most once.',
    ],
    paused: [503, 'Posting is paused while the event stream is being changed. Try again with the same trans_id.'],
  },
  Exports: {
    export_not_found: [404, 'There is no such export.'],
    export_not_ready: [409, 'This export is not finished yet.', 'yes, when the export is finished'],
    export_failed: [409, 'This export has failed. Order it again.'],
    export_cancelled: [409, 'This export was cancelled.'],
    export_expired: [410, 'The file of this export has expired. Order it again.'],
    export_file_missing: [410, 'The file of this export is missing. Order it again.'],
    too_many_exports: [429, 'You have too many unfinished exports. Wait for one to finish, or cancel one.'],
    idempotency_key_reused: [422, 'This Idempotency-Key was used for an export with other filters.'],
  },
} as const satisfies Record<string, Record<string, ErrorMeaning>>

type Table = typeof ERROR_TABLE
export type ErrorCode = { [Part in keyof Table]: keyof Table[Part] }[keyof Table]

/** The meaning of each code. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorMeaning>> = Object.assign({}, ...Object.values(ERROR_TABLE))

export interface InputFault {
  in: 'body' | 'query' | 'header' | 'path'
  /** JSON pointer into that part of the request. */
  pointer: string
  reason: string
}

/** What an answer says beside its code. */
export interface ErrorDetails {
  /** What is wrong with the input. */
  errors?: InputFault[]
  /** Balance of the wallet when the request was refused, in kobo. */
  balance?: number
  /** The fields that differ from the first use of the trans_id. */
  fields?: string[]
  /** It is a recorded refusal that was given before: nothing was decided now. */
  replayed?: boolean
  /** How long to wait before the next try, in s. */
  waitS?: number
  headers?: Readonly<Record<string, string>>
}

/** Why a request does not get what it asks for. Anything else that is thrown is a fault of the service. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly code: ErrorCode
  readonly details: ErrorDetails
  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(ERRORS[code][1], options)
    this.code = code
    this.details = details
  }
}

// Shared instances: these are thrown thousands of times per second, and a stack would say nothing useful.
export const busy = withoutStack(new ApiError('busy'))
export const contended = withoutStack(new ApiError('contended'))

function withoutStack(error: ApiError): ApiError {
  delete error.stack
  return error
}
