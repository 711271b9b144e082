import pg from 'pg'
import { createAdmission } from './durability.ts'

export interface PoolOptions {
  applicationName: string
  connectionsMax: number
  /** Ends a statement that runs longer, in ms. */
  statementTimeoutMs: number
  /** Ends a statement that waits longer for a lock, in ms. */
  lockTimeoutMs?: number
  /** How long to wait for a free or a new connection, in ms. */
  connectTimeoutMs?: number
  /** Uses one generic plan per prepared statement, instead of planning again for each set of values. */
  planOnce?: boolean
  /**
   * Prepares Kysely's statements once per connection: parsing and planning a look-up takes longer than executing it.
   */
  prepare?: boolean
  /** Admits a connection only when a standby has what its server recovered, if commits wait for a standby. */
  admitDurable?: boolean
  onError?: (error: Error) => void
}

// As a parameter, pg writes a Date in the time zone of the process, with its offset in whole minutes. Before time zones,
// offsets had seconds: the instant would change. In UTC every process writes the same.
pg.defaults.parseInputDatesAsUTC = true

/** The client's timeout is this much longer than the server's. It ends a statement when the connection is dead. */
const CLIENT_GRACE_MS = 2_000

/** Opens a pool. Nothing connects until the first query, so a service can start while its database is down. */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  const connectTimeoutMs = options.connectTimeoutMs ?? 3_000
  const access = { connectionString: url, application_name: options.applicationName }
  const pool = new pg.Pool({
    Client: options.prepare ? PreparingClient : DisposableClient,
    ...access,
    ...(options.admitDurable
      ? { onConnect: createAdmission({ ...access, connectionTimeoutMillis: connectTimeoutMs }, connectTimeoutMs) }
      : {}),
    max: options.connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + CLIENT_GRACE_MS,
    lock_timeout: options.lockTimeoutMs ?? options.statementTimeoutMs,
    idle_in_transaction_session_timeout: options.statementTimeoutMs,
    keepAlive: true,
    ...(options.planOnce ? { options: '-c plan_cache_mode=force_generic_plan' } : {}),
    types: { getTypeParser },
  })
  // A broken connection emits this while it is idle, or in use between two statements of a transaction. Without a
  // listener the process would end. Its user gets the error from the next statement.
  pool.on('connect', (client) => client.on('error', (error) => options.onError?.(error)))
  pool.on('error', () => {}) // the same error again, if the connection was idle
  return pool
}

/**
 * Closes a connection that does not answer in time. pg would return it to the pool with the statement still running,
 * and its next users would wait for that statement.
 */
class DisposableClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config)
    // To cancel a statement, Kysely opens a client outside of the pool without an error listener: if the server closed
    // it then, the process would end.
    this.on('error', () => {})
    this.on('notice', ({ message = '', routine }) => {
      if (routine === SYNC_REP_WAIT) this.#fail(message)
    })
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

  /** Ends the statement under way with an error, as if Postgres had sent one: its outcome is unknown. */
  #fail(message: string): void {
    const { connection } = this as unknown as { connection: { emit(event: 'errorMessage', error: Error): void } }
    connection.emit('errorMessage', Object.assign(new Error(message), { code: QUERY_CANCELED }))
  }

  #cut(): void {
    const { connection } = this as unknown as { connection: { stream: { destroy(): void } } }
    connection.stream.destroy()
  }
}

/** Maximum number of distinct statement texts to prepare. Further ones are sent unprepared. */
const PREPARED_MAX = 500
const preparedNames = new Map<string, string>()

/** Kysely sends statements without a name. This adds one, so that they are prepared. */
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

/** pg's error message after query_timeout. */
const QUERY_TIMEOUT = 'Query read timeout'
/**
 * The routine of Postgres that waits for a standby. Where an operator cancels a session in its wait, Postgres says that the
 * commit has succeeded, and adds a warning from here.
 */
const SYNC_REP_WAIT = 'SyncRepWaitForLSN'
const QUERY_CANCELED = '57014'
const INT8 = 20
const TIMESTAMPTZ = 1184
/** Postgres's format if the session's time zone is UTC, the usual case. Several times faster than pg's own parser. */
const UTC_INSTANT = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00$/

const parseAnyTimestamptz = pg.types.getTypeParser(TIMESTAMPTZ, 'text')

function parseTimestamptz(text: string): unknown {
  return UTC_INSTANT.test(text) ? new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`) : parseAnyTimestamptz(text)
}

/** pg's own parsers, except for timestamptz and int8: an int8 that a number cannot hold exactly is an error. */
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
