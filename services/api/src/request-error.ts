export const requestErrors = {
  invalid_request: 'The request is not valid.',
  malformed_request:
    'The request could not be read: it must be well-formed HTTP with a well-formed JSON body in UTF-8.',
  unauthenticated: 'This needs a valid access token: Authorization: Bearer <token>.',
  not_found: 'There is nothing at this path.',
  method_not_allowed: 'This path does not support this method.',
  request_timeout: 'The request did not arrive in time.',
  body_too_large: 'The body is larger than this service accepts.',
  unsupported_media_type: 'The body must be application/json, without a content encoding.',
  range_not_satisfiable: 'The range lies outside the file.',
  headers_too_large: 'The headers are larger than this service accepts.',
  internal_error:
    'The service failed to handle this request and logged the error. Quote the request_id when you ask for help.',
  too_many_requests: 'Too many requests from this user or address. Wait, then try again.',
  overloaded: 'The service is overloaded. Try again soon.',
  unavailable: 'The service is temporarily unavailable. Try again soon.',
} as const
export type RequestErrorCode = keyof typeof requestErrors

export interface RequestErrorOptions extends ErrorOptions {
  headers?: Record<string, string>
}

/** An error that any HTTP request may cause, on any route. */
export class RequestError extends Error {
  override name = 'RequestError'
  readonly code: RequestErrorCode
  readonly headers: Record<string, string>
  constructor(code: RequestErrorCode, { headers = {}, ...options }: RequestErrorOptions = {}) {
    super(requestErrors[code], options)
    this.code = code
    this.headers = headers
  }
}
