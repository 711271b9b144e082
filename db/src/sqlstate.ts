// Postgres's error codes, grouped by what a caller can do about them.
// Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".

/** Raised by lock_timeout. */
const LOCK_NOT_AVAILABLE = '55P03'
/** The transaction was rolled back because of a conflict: a retry may succeed. */
const RETRYABLE = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  LOCK_NOT_AVAILABLE,
])

/** The server or the connection to it is down, starting, stopping or out of resources. */
const UNAVAILABLE_CLASSES = ['08', '53', '57P', '58']
const UNAVAILABLE = new Set([
  '57014', // query_canceled, raised by statement_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25006', // read_only_sql_transaction: a standby that has not been promoted
  '55000', // object_not_in_prerequisite_state: the same, for a function that needs the end of the WAL
])
const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])
/** pg reports these without a code. */
const NETWORK_MESSAGES = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired', // the same, of a client outside of a pool
  'Query read timeout',
  'Client has encountered a connection error',
]

export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === LOCK_NOT_AVAILABLE
}

export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(codeOf(error))
}

/** Whether the database is down, restarting, overloaded or too slow. The statement may or may not have taken effect. */
export function isUnavailable(error: unknown): boolean {
  const code = codeOf(error)
  if (code === '') return NETWORK_MESSAGES.some((message) => messageOf(error).startsWith(message))
  return NETWORK.has(code) || UNAVAILABLE.has(code) || UNAVAILABLE_CLASSES.some((prefix) => code.startsWith(prefix))
}

/** Whether the role lacks a privilege. */
export function isDenied(error: unknown): boolean {
  return codeOf(error) === '42501'
}

/** Whether this unique constraint refused the row. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return codeOf(error) === '23505' && (error as { constraint?: unknown }).constraint === constraint
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
