import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Migration } from './read-migrations.ts'
import { isLockTimeout, isUnavailable } from './sqlstate.ts'

/**
 * How long a migration waits for a lock per try. Statements that come to the table later wait behind it, and the API
 * waits at most DATABASE_LOCK_TIMEOUT_MS (250) for a lock: this must be shorter.
 */
const LOCK_TIMEOUT_MS = 100
const LOCK_RETRY_MS = 500
/** How long it keeps trying. A transaction that holds the table for longer, such as a dump, must end first. */
const LOCK_PATIENCE_MS = 60_000

/** Applies a migration and records it in one transaction. A concurrent index build must be outside of a transaction. */
export async function applyMigration(client: Client, migration: Migration): Promise<void> {
  try {
    if (migration.marks.has('concurrent index')) await buildIndex(client, migration)
    else await applyWhenFree(client, migration)
  } catch (error) {
    if (isUnavailable(error)) throw error
    throw new Error(`migration ${migration.name} failed and was rolled back`, { cause: error })
  }
}

async function applyWhenFree(client: Client, migration: Migration): Promise<void> {
  const deadline = performance.now() + LOCK_PATIENCE_MS
  for (;;) {
    try {
      return await applyOnce(client, migration)
    } catch (error) {
      if (!isLockTimeout(error)) throw error
      if (performance.now() + LOCK_RETRY_MS > deadline) throw stillLocked(error)
      await delay(LOCK_RETRY_MS)
    }
  }
}

function stillLocked(cause: unknown): Error {
  const hint = 'a long transaction, a dump or another program holds one; pg_stat_activity shows which, by xact_start'
  return new Error(`it got no lock on its table within ${LOCK_PATIENCE_MS / 1_000} s: ${hint}`, { cause })
}

async function applyOnce(client: Client, migration: Migration): Promise<void> {
  await client.query('begin')
  try {
    await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await client.query(migration.sql)
    await record(client, migration)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {}) // fails if the connection itself broke
    throw error
  }
}

/** The file must have this one statement only: Postgres runs several statements of one query in a transaction. */
const CREATE_INDEX = /^\s*create (?:unique )?index concurrently ([a-z0-9_]+) on [^;]+;\s*$/

/** Blocks no reads or writes. Waits without a limit for transactions that began earlier. */
async function buildIndex(client: Client, migration: Migration): Promise<void> {
  const [, name] = CREATE_INDEX.exec(migration.sql.replaceAll(/--.*$/gm, '')) ?? []
  if (name === undefined) throw new Error('it must be one "create index concurrently <name> on …", and nothing else')
  const { rows } = await client.query<{ valid: boolean }>(
    'select indisvalid as valid from pg_index where indexrelid = to_regclass($1)',
    [name],
  )
  await client.query('set lock_timeout = 0')
  // An interrupted build leaves an invalid index behind, which costs writes and is never used.
  if (rows[0]?.valid === false) await client.query(`drop index concurrently ${name}`)
  if (rows[0]?.valid !== true) await client.query(migration.sql)
  await record(client, migration)
}

async function record(client: Client, { version, name, checksum, marks }: Migration): Promise<void> {
  await client.query('insert into schema_migrations (version, name, checksum, breaking) values ($1, $2, $3, $4)', [
    version,
    name,
    checksum,
    marks.has('breaking'),
  ])
}
