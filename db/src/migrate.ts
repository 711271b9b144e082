import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { runMigrations } from 'graphile-worker'
import pg from 'pg'
import { DatabaseError } from './errors.ts'
import { isUnavailable } from './sqlstate.ts'

const MIGRATIONS = new URL('../migrations/', import.meta.url)
/** Any fixed number: who holds it migrates, everyone else waits. It is "SLmigrat" read as a big-endian integer. */
const LOCK_KEY = '6002292702852571508'
const APPLICATION_NAME = 'streamledger migrate'
const CONNECT_TIMEOUT_MS = 3_000
/** How long one service waits for another that migrates; a migration that takes longer is run by itself, ahead of time. */
const LOCK_TIMEOUT_MS = 60_000
const BREAKING_MARK = '--! breaking'

interface Migration {
  version: number
  name: string
  sql: string
  checksum: string
  breaking: boolean
}

interface Applied {
  version: number
  name: string
  checksum: string
  breaking: boolean
}

export interface MigrateOptions {
  /** Told of each migration as it is applied. */
  onApply?: (name: string) => void
  /** A folder of NNNN_<what>.sql files, for tests. */
  folder?: URL
}

/**
 * Brings a database up to this release, the job queue's schema included. Any number of services may call it at once.
 *
 * @throws DatabaseError `database_too_new` past an unknown migration marked breaking; `migration_changed`.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<void> {
  const migrations = await readMigrations(options.folder ?? MIGRATIONS)
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
  })
  // A connection that breaks between two statements is an error of the next one, not the end of the process.
  client.on('error', () => {})
  await client.connect()
  try {
    // A session's lock, released when the connection ends, however it ends.
    await client.query('select pg_advisory_lock($1)', [LOCK_KEY])
    await applyMissing(client, migrations, options.onApply)
    await migrateQueue(databaseUrl)
  } finally {
    await client.end()
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
    await runMigrations({ pgPool: pool })
  } finally {
    await pool.end()
  }
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
  const applied = await client.query<Applied>('select version, name, checksum, breaking from schema_migrations')
  refuseUnknownBreaking(applied.rows, migrations)

  const checksums = new Map(applied.rows.map((row) => [row.version, row.checksum]))
  for (const migration of migrations) {
    const checksum = checksums.get(migration.version)
    if (checksum === undefined) {
      await apply(client, migration)
      onApply?.(migration.name)
    } else if (checksum !== migration.checksum) {
      throw new DatabaseError('migration_changed', `It is ${migration.name}.`)
    }
  }
}

function refuseUnknownBreaking(applied: Applied[], migrations: Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.version))
  const breaking = applied.find((row) => row.breaking && !known.has(row.version))
  if (breaking) throw new DatabaseError('database_too_new', `The migration is ${breaking.name}.`)
}

async function apply(client: pg.Client, { version, name, sql, checksum, breaking }: Migration): Promise<void> {
  await client.query('begin')
  try {
    await client.query(sql)
    await client.query('insert into schema_migrations (version, name, checksum, breaking) values ($1, $2, $3, $4)', [
      version,
      name,
      checksum,
      breaking,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {}) // the connection may be the very thing that broke
    if (isUnavailable(error)) throw error
    throw new Error(`migration ${name} failed and was rolled back`, { cause: error })
  }
}

async function readMigrations(folder: URL): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8')
      const checksum = createHash('sha256').update(sql).digest('hex')
      return { version: Number(name.slice(0, 4)), name, sql, checksum, breaking: sql.startsWith(BREAKING_MARK) }
    }),
  )
}
