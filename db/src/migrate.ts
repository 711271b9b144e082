import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { applyMigration } from './apply-migration.ts'
import { DatabaseError } from './errors.ts'
import { type JudgedRole, judgeRole } from './judge-role.ts'
import type { Service } from './privileges.ts'
import { MIGRATIONS, type Migration, readMigrations } from './read-migrations.ts'
import { isDenied } from './sqlstate.ts'

/**
 * Advisory lock: its holder migrates, all others wait. An arbitrary number: "SLmigrat" read as a big-endian integer.
 */
export const MIGRATION_LOCK_KEY = '6002292702852571508'
const APPLICATION_NAME = 'streamledger migrate'
const CONNECT_TIMEOUT_MS = 3_000
/**
 * How long a service waits for another one that migrates. Run a longer migration separately, before the services start.
 */
const TURN_TIMEOUT_MS = 60_000
const TURN_RETRY_MS = 100

interface Applied {
  version: number
  name: string
  checksum: string
  breaking: boolean
}

export interface MigrateOptions {
  /** Called after each migration that was applied. */
  onApply?: (name: string) => void
  /** For services that do not use the job queue: skips its schema, and does not load its library. */
  withoutQueue?: boolean
  /** The service whose privileges this role must have, unless it owns the tables. */
  service?: Service
  /** A folder of NNNN_<what>.sql files, for tests. */
  folder?: URL
}

/**
 * Migrates a database to this release, including the job queue's schema unless `withoutQueue` is set. Several services
 * may call it at once. Without anything to apply, it only reads.
 *
 * @returns what the role is, for a warning
 * @throws DatabaseError `database_too_new` if an unknown migration marked breaking was applied; `migration_changed`;
 * `not_migrated` if this role may not migrate; `not_granted` if it lacks a privilege of its service.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<JudgedRole> {
  const migrations = await readMigrations(options.folder ?? MIGRATIONS)
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  })
  // Without a listener, a broken connection would end the process. The next statement fails anyway.
  client.on('error', () => {})
  await client.connect()
  try {
    // Take the lock only if something is missing, which is rare. With a pooler in transaction mode, a session lock
    // would stay on one of the pooler's connections, and the next service to start would wait for it in vain.
    const missing = await refuseDenied('not_granted', () => findMissing(client, migrations))
    if (missing.length > 0) {
      if (!(await mayMigrate(client))) throw new DatabaseError('not_migrated', describeMissing(missing))
      await takeTurn(client)
      await applyMissing(client, migrations, options.onApply)
    }
    // Safe to run several times at once. A role that may not migrate only reads which migrations are applied.
    if (!options.withoutQueue) await refuseDenied('not_migrated', () => migrateQueue(databaseUrl))
    return await judgeRole(client, options.service)
  } finally {
    await client.end()
  }
}

/**
 * Takes a session lock, which is released when the session ends for any reason. It polls, because a waiting statement
 * holds a snapshot, and an index that is being built concurrently would wait for that snapshot: a deadlock.
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
 * Uses a pool of our own. graphile-worker's own pool stops listening for errors before its connections have ended, so a
 * connection that the server closes at that moment would end the process.
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

/** Postgres refuses what the role may not do: the owner has yet to migrate, or to grant it. */
async function refuseDenied<T>(code: 'not_migrated' | 'not_granted', step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (isDenied(error)) throw new DatabaseError(code, `Postgres says: ${(error as Error).message}.`, { cause: error })
    throw error
  }
}

async function findMissing(client: pg.Client, migrations: Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<{ exists: boolean }>(
    `select to_regclass('schema_migrations') is not null as exists`,
  )
  return rows[0]?.exists === true ? listMissing(client, migrations) : migrations
}

/** Only the owner of the tables migrates, and in an empty database a role that may create schemas, as the queue's. */
async function mayMigrate(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `select coalesce((select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass('schema_migrations')),
                     has_database_privilege(current_database(), 'create')) as may`,
  )
  return rows[0]?.may === true
}

function describeMissing(missing: readonly Migration[]): string {
  const [first, ...others] = missing.map(({ name }) => name)
  return `It lacks ${first}${others.length > 0 ? ` and ${others.length} more` : ''}.`
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

/** The migrations that are not applied yet. Throws if this release must not run on the database. */
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
