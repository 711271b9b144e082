import pg from 'pg'

/** SQL: whether a commit waits for a standby. */
export const IS_SYNCHRONOUS = `current_setting('synchronous_standby_names') <> ''`

/**
 * SQL: commits something, and so waits until a standby has it and all that was committed before.
 *
 * A commit becomes visible when its wait ends. But a commit whose wait was cut off is visible, too: after a restart of the
 * primary, or after an operator has ended the session. What was read must not be answered before this.
 * pg_current_xact_id() is there for its error: on a standby it says that the database is read-only.
 */
export const BARRIER = `
  select pg_logical_emit_message(true, 'streamledger', '') from pg_current_xact_id() where ${IS_SYNCHRONOUS}`

const LOOK = `select pg_postmaster_start_time()::text as started, ${IS_SYNCHRONOUS} as is_synchronous`
/** Long: a session that waits for a standby goes on although its client has gone, so there must be few of them. */
const BARRIER_TIMEOUT_MS = 60_000

interface Look {
  started: string
  is_synchronous: boolean
}

/**
 * Admits a new connection once a standby has what its server recovered at its start. A restart ends all connections, so
 * nothing is read in between.
 */
export function createAdmission(options: pg.ClientConfig, waitMs: number): (client: pg.ClientBase) => Promise<void> {
  let vouched: string | undefined
  let vouching: Promise<void> | undefined

  async function vouch(): Promise<void> {
    const client = new pg.Client({ ...options, query_timeout: BARRIER_TIMEOUT_MS })
    client.on('error', () => {}) // the query rejects
    try {
      await client.connect()
      const { started } = await look(client)
      await client.query(BARRIER)
      vouched = started
    } finally {
      vouching = undefined
      client.end().catch(() => {})
    }
  }

  return async (client) => {
    const { started, is_synchronous } = await look(client)
    if (!is_synchronous || started === vouched) return
    vouching ??= vouch()
    await within(waitMs, vouching)
    if (started !== vouched) throw unavailable('this connection is to another server')
  }
}

async function look(client: pg.ClientBase): Promise<Look> {
  const { rows } = await client.query<Look>(LOOK)
  return rows[0] as Look
}

async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable('no standby has yet what the server recovered')), ms)
  })
  await Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}

/** The beginning is as in pg's own message, so that it counts as a database that cannot be reached. */
const unavailable = (reason: string): Error => new Error(`timeout exceeded when trying to connect: ${reason}`)
