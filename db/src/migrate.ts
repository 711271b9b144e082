import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { applyMigration } from './apply-migration.ts'
import { DatabaseError } from './errors.ts'
import { MIGRATIONS, type Migration, readMigrations } from './read-migrations.ts'

/** Any fixed number: who holds it migrates, everyone else waits. It is "SLmigrat" read as a big-endian integer. */
export const MIGRATION_LOCK_KEY = '6002292702852571508'
const APPLICATION_NAME = 'streamledger migrate'
const CONNECT_TIMEOUT_MS = 3_000
/** How long one service waits for another that migrates; a migration that takes longer is run by itself, ahead of time. */
const TURN_TIMEOUT_MS = 60_000
const TURN_RETRY_MS = 100

interface Applied {
  version: number
  name: string
  checksum: string
  breaking: boolean
}

export interface MigrateOptions {
  /** Told of each migration as it is applied. */
  onApply?: (name: string) => void
  /** Leaves the job queue's schema to services that have to do with the queue, and its library unloaded. */
  withoutQueue?: boolean
  /** A folder of NNNN_<what>.sql files, for tests. */
  folder?: URL
}

/**
 * Brings a database up to this release, the job queue's schema included unless it is left out. Any number of services may call it at once.
 *
 * @throws DatabaseError `database_too_new` past an unknown migration marked breaking; `migration_changed`.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<void> {
  const migrations = await readMigrations(options.folder ?? MIGRATIONS)
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  })
  // A connection that breaks between two statements is an error of the next one, not the end of the process.
  client.on('error', () => {})
  await client.connect()
  try {
    // Most starts find everything applied, and take no turn: behind a pooler that lends its connections by the transaction,
    // a session's lock would stay on one of them, and whoever starts next would wait for it in vain.
    if (!(await isApplied(client, migrations))) {
      await takeTurn(client)
      await applyMissing(client, migrations, options.onApply)
    }
    if (!options.withoutQueue) await migrateQueue(databaseUrl) // which knows by itself how to be called by several at once
  } finally {
    await client.end()
  }
}

/**
 * Takes a lock that ends with the session, however it ends. It is asked for again and again: a statement that waits has a
 * snapshot, which an index that is built concurrently would wait for in turn.
 */
async function takeTurn(client: pg.Client): Promise<void> {
  const deadline = performance.now() + TURN_TIMEOUT_MS
  for (;;) {
    const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [
      MIGRATION_LOCK_KEY,
    ])
    if (rows[0]?.mine) return
    if (performance.now() > deadline) {
      throw new Error(`another process has been migrating this database for ${TURN_TIMEOUT_MS / 1_000} s`)
    }
    await delay(TURN_RETRY_MS)
  }
}

/**
 * On a pool of our own: graphile-worker's forgets to listen to its connections before they have ended, and one that the
 * server shuts down in that moment would end the process.
 */
async function migrateQueue(databaseUrl: string): Promise<void> {
  const pool = new pg.Pool({
    ...{ connectionString: databaseUrl, application_name: APPLICATION_NAME },
    ...{ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, max: 1 },
  })
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', () => {})
  try {
    const { runMigrations } = await import('graphile-worker')
    await runMigrations({ pgPool: pool })
  } finally {
    await pool.end()
  }
}

async function isApplied(client: pg.Client, migrations: Migration[]): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass('schema_migrations') is not null as exists`,
  )
  return rows[0]?.exists === true && (await listMissing(client, migrations)).length === 0
}

async function applyMissing(
  client: pg.Client,
  migrations: Migration[],
  onApply?: (name: string) => void,
): Promise<void> {
  await client.query(`
    create table if not exists schema_migrations (
      version    integer not null constraint schema_migrations_pk primary key,
      name       text not null,
      checksum   text not null,
      breaking   boolean not null, -- a release that does not know this migration must not run
      applied_at timestamptz not null default now()
    )`)
  for (const migration of await listMissing(client, migrations)) {
    await applyMigration(client, migration)
    onApply?.(migration.name)
  }
}

/** What is still to be applied, of a database that this release may serve. */
async function listMissing(client: pg.Client, migrations: Migration[]): Promise<Migration[]> {
  const applied = await client.query<Applied>('select version, name, checksum, breaking from schema_migrations')
  refuseUnknownBreaking(applied.rows, migrations)
  const checksums = new Map(applied.rows.map((row) => [row.version, row.checksum]))
  const changed = migrations.find(({ version, checksum }) => (checksums.get(version) ?? checksum) !== checksum)
  if (changed) throw new DatabaseError('migration_changed', `It is ${changed.name}.`)
  return migrations.filter(({ version }) => !checksums.has(version))
}

function refuseUnknownBreaking(applied: Applied[], migrations: Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.version))
  const breaking = applied.find((row) => row.breaking && !known.has(row.version))
  if (breaking) throw new DatabaseError('database_too_new', `The migration is ${breaking.name}.`)
}
