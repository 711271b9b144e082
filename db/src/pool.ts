import pg from 'pg'

export interface PoolOptions {
  applicationName: string
  connectionsMax: number
  /** Ends a statement that runs longer, in ms. */
  statementTimeoutMs: number
  /** Ends a statement that waits longer than this for a lock, in ms. */
  lockTimeoutMs?: number
  /** Gives up on opening a connection, or on waiting for a free one, in ms. */
  connectTimeoutMs?: number
  /** Plans each prepared statement once, and never anew for the values it is given. */
  planOnce?: boolean
  /** Prepares what Kysely sends, once a connection: to parse and plan a look-up takes longer than to execute it. */
  prepare?: boolean
  onError?: (error: Error) => void
}

/** Beyond the server's own timeout: what ends a statement when the connection is dead and the server can't answer. */
const CLIENT_GRACE_MS = 2_000

/** Opens a pool. Nothing connects until the first query, so a service can start while its database is down. */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    Client: options.prepare ? PreparingClient : DisposableClient,
    connectionString: url,
    application_name: options.applicationName,
    max: options.connectionsMax,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + CLIENT_GRACE_MS,
    lock_timeout: options.lockTimeoutMs ?? options.statementTimeoutMs,
    idle_in_transaction_session_timeout: options.statementTimeoutMs,
    keepAlive: true,
    ...(options.planOnce ? { options: '-c plan_cache_mode=force_generic_plan' } : {}),
    types: { getTypeParser },
  })
  // A connection that breaks reports it here, while it is idle and while it is lent out between two statements of a
  // transaction; without a listener either would end the process. Whoever holds it gets the error from the next statement.
  pool.on('connect', (client) => client.on('error', (error) => options.onError?.(error)))
  pool.on('error', () => {}) // the same error once more, when the connection was idle
  return pool
}

/**
 * A connection that does not answer in time is cut: pg would hand it back to the pool with the statement still on it,
 * and everyone after would wait for it again.
 */
class DisposableClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config)
    // Kysely opens one beside the pool to cancel a statement, and does not listen to it: if the server shut it down just
    // then, the process would end.
    this.on('error', () => {})
  }

  // biome-ignore lint/suspicious/noExplicitAny: pg's own type has nine overloads, none of which this is about.
  override query(...args: any[]): any {
    const result = (super.query as (...args: unknown[]) => unknown)(...args)
    if (result instanceof Promise) {
      result.catch((error: Error) => {
        if (error.message === QUERY_TIMEOUT) this.#cut()
      })
    }
    return result
  }

  #cut(): void {
    const { connection } = this as unknown as { connection: { stream: { destroy(): void } } }
    connection.stream.destroy()
  }
}

/** Statements that differ in more than their values, at most: what is beyond is sent as it is. */
const PREPARED_MAX = 500
const preparedNames = new Map<string, string>()

/** Kysely sends a text and its values, and never a name. */
class PreparingClient extends DisposableClient {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  override query(...args: any[]): any {
    const [text, values] = args
    const name = args.length === 2 && typeof text === 'string' && Array.isArray(values) ? nameOf(text) : undefined
    return name === undefined ? super.query(...args) : super.query({ name, text, values })
  }
}

function nameOf(text: string): string | undefined {
  const known = preparedNames.get(text)
  if (known !== undefined || preparedNames.size >= PREPARED_MAX) return known
  const name = `s${preparedNames.size + 1}`
  preparedNames.set(text, name)
  return name
}

/** What pg says when query_timeout has passed. */
const QUERY_TIMEOUT = 'Query read timeout'
const INT8 = 20
const TIMESTAMPTZ = 1184
/** As Postgres writes it where the session's time zone is UTC: the rule, and several times faster than pg's parser. */
const UTC_INSTANT = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00$/

const parseAnyTimestamptz = pg.types.getTypeParser(TIMESTAMPTZ, 'text')

function parseTimestamptz(text: string): unknown {
  return UTC_INSTANT.test(text) ? new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`) : parseAnyTimestamptz(text)
}

/** pg's own parsers, but for int8: money that a number cannot hold exactly is an error, not a rounded figure. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8 && format !== 'binary') return parseInt8
  if (oid === TIMESTAMPTZ && format !== 'binary') return parseTimestamptz
  return pg.types.getTypeParser(oid, format as 'text')
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} is beyond ±(2^53 − 1)`)
  return value
}
