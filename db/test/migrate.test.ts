import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test as base, describe, expect, type TestDatabase, waitFor } from '@streamledger/testkit'
import { dumpSchema } from '../src/dump-schema.ts'
import { MIGRATION_LOCK_KEY, migrate } from '../src/migrate.ts'
import { withholdGoodbyes } from './withhold-goodbyes.ts'

const MIGRATIONS = new URL('../migrations/', import.meta.url)

/** A copy of the migrations that a test may add to. */
const test = base.extend('folder', async ({ engines: _ }, { onCleanup }) => {
  const path = await mkdtemp(join(tmpdir(), 'migrations-'))
  onCleanup(() => rm(path, { recursive: true }))
  await cp(MIGRATIONS, path, { recursive: true })
  return pathToFileURL(`${path}/`)
})

/** Another process that migrates and never finishes. */
async function holdTurn(pool: TestDatabase['pool']) {
  const client = await pool.connect()
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK_KEY])
  let held = true
  const release = async () => {
    if (held) client.release(true)
    held = false
  }
  return { release, [Symbol.asyncDispose]: release }
}

test('three services that start at once on an empty database migrate it once', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const applied: string[] = []
  const onApply = (name: string) => applied.push(name)
  await Promise.all([migrate(url, { onApply }), migrate(url, { onApply }), migrate(url, { onApply })])
  expect(applied.length).toBeGreaterThan(0)
  expect(new Set(applied).size).toBe(applied.length)
  expect(await dumpSchema(url)).toBe(await readFile(new URL('../schema.sql', import.meta.url), 'utf8'))
})

test('a second start applies nothing', async ({ createDatabase }) => {
  const { url } = await createDatabase()
  const applied: string[] = []
  await migrate(url, { onApply: (name) => applied.push(name) })
  expect(applied).toEqual([])
})

test('who has nothing to do with the queue leaves it to those who have', async ({ createDatabase }) => {
  const { url, pool } = await createDatabase({ empty: true })
  const hasQueue = async () => (await pool.query(`select to_regclass('graphile_worker.jobs') is not null as has`)).rows
  await migrate(url, { withoutQueue: true })
  expect(await hasQueue()).toEqual([{ has: false }])
  await migrate(url)
  expect(await hasQueue()).toEqual([{ has: true }])
})

test('a start waits for whoever migrates only if it has something to apply', async ({ createDatabase, folder }) => {
  const { url, pool } = await createDatabase()
  await using holder = await holdTurn(pool)
  await migrate(url)

  await writeFile(new URL('9001_late.sql', folder), 'create table late ();')
  const late = migrate(url, { folder })
  const asks = `select from pg_stat_activity where datname = current_database() and query like '%pg_try_advisory_lock%'
                   and pid <> pg_backend_pid()`
  await waitFor(async () => expect((await pool.query(asks)).rowCount).toBe(1))
  const table = `select to_regclass('late') as name`
  expect((await pool.query(table)).rows).toEqual([{ name: null }])
  await holder.release()
  await late
  expect((await pool.query(table)).rows).toEqual([{ name: 'late' }])
})

test('a database that a newer release has added to is served, unless the addition is marked breaking', async ({
  createDatabase,
  folder,
}) => {
  const { url } = await createDatabase()
  await writeFile(new URL('9001_harmless.sql', folder), 'create table later (id int);')
  await migrate(url, { folder })
  await expect(migrate(url)).resolves.toMatchObject({ role: expect.any(String) })

  await writeFile(new URL('9002_breaking.sql', folder), '--! breaking\ndrop table later;')
  await migrate(url, { folder })
  await expect(migrate(url)).rejects.toMatchObject({
    code: 'database_too_new',
    message: expect.stringContaining('9002_breaking.sql'),
  })
  await expect(migrate(url, { folder })).resolves.toMatchObject({ role: expect.any(String) })
})

test('a connection that the server ends in the moment in which it is being closed ends no migration', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const way = await withholdGoodbyes(url)
  const migration = await spawnService('db/src/migrate-main.ts', { DATABASE_URL: way.url })
  // The first goodbye comes from the migration of the job queue.
  await waitFor(() => way.withheld > 0)

  await pool.query(`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`)

  expect(await migration.exited).toEqual({ code: 0, signal: null })
})

test('a migration that was edited after it was applied is refused', async ({ createDatabase, folder }) => {
  const { url } = await createDatabase()
  await writeFile(new URL('0001_accounts.sql', folder), 'select 1;')
  await expect(migrate(url, { folder })).rejects.toMatchObject({ code: 'migration_changed' })
})

test('a migration that fails leaves nothing of itself behind and is tried again', async ({
  createDatabase,
  folder,
}) => {
  const { url, pool } = await createDatabase()
  const file = new URL('9001_two_steps.sql', folder)
  await writeFile(file, 'create table half (id int); select 1 / 0;')
  await expect(migrate(url, { folder })).rejects.toThrow('9001_two_steps.sql failed')
  const { rows } = await pool.query(`select to_regclass('half') as half`)
  expect(rows).toEqual([{ half: null }])
  await writeFile(file, 'create table half (id int);')
  await expect(migrate(url, { folder })).resolves.toMatchObject({ role: expect.any(String) })
})

test('a migration waits for its table without keeping anybody else from it', async ({ createDatabase, folder }) => {
  const { url, pool } = await createDatabase()
  await writeFile(new URL('9001_note.sql', folder), 'alter table wallets add column note text;')
  const reader = await pool.connect()
  await reader.query('begin')
  await reader.query('select from wallets')
  let isDone = false
  const migrating = migrate(url, { folder }).then(() => {
    isDone = true
  })

  // While the migration keeps trying, other statements on the table must not wait as long as the API's lock timeout.
  const client = await pool.connect()
  await client.query(`set lock_timeout = '250ms'`)
  const waits = () => pool.query(`select from pg_locks where mode = 'AccessExclusiveLock' and not granted`)
  let tries = 0
  await waitFor(
    async () => {
      const isWaiting = (await waits()).rows.length > 0
      await client.query('select from wallets limit 1')
      if (isWaiting) tries += 1
      return tries >= 3
    },
    { timeoutMs: 20_000, intervalMs: 5 },
  )
  client.release()
  expect(isDone).toBe(false)

  await reader.query('commit')
  reader.release()
  await migrating
  const { rows } = await pool.query('select note from wallets')
  expect(rows).toEqual([])
})

describe('an index that is built concurrently', () => {
  const FILE = '9001_index.sql'
  const SQL =
    '--! concurrent index\n-- For whoever looks by name.\ncreate index concurrently users_by_name on users (last_name);\n'

  test('is built once, by one of three that start at once', async ({ createDatabase, folder }) => {
    const { url, pool } = await createDatabase()
    await writeFile(new URL(FILE, folder), SQL)
    const applied: string[] = []
    const options = { folder, onApply: (name: string) => applied.push(name) }
    await Promise.all([1, 2, 3].map(() => migrate(url, options)))
    expect(applied).toEqual([FILE])
    expect(await readIndex(pool)).toEqual([{ indisvalid: true }])
  })

  test('is built anew when it was interrupted, and not again when it was only not recorded', async ({
    createDatabase,
    folder,
  }) => {
    const { url, pool } = await createDatabase()
    await writeFile(new URL(FILE, folder), SQL)
    await pool.query('create index users_by_name on users (last_name)')
    await pool.query(`update pg_index set indisvalid = false where indexrelid = 'users_by_name'::regclass`)
    await migrate(url, { folder })
    expect(await readIndex(pool)).toEqual([{ indisvalid: true }])

    await pool.query('delete from schema_migrations where name = $1', [FILE])
    await migrate(url, { folder })
    expect(await readIndex(pool)).toEqual([{ indisvalid: true }])
  })

  test('has a migration to itself', async ({ createDatabase, folder }) => {
    const { url } = await createDatabase()
    await writeFile(new URL(FILE, folder), `${SQL}create table another (id int);`)
    const failure = await migrate(url, { folder }).catch((error: Error) => error.cause)
    expect(String(failure)).toContain('and nothing else')
  })
})

test('a mark that nobody knows is no comment', async ({ createDatabase, folder }) => {
  const { url } = await createDatabase()
  await writeFile(new URL('9001_typo.sql', folder), '--! braking\ncreate table later (id int);')
  await expect(migrate(url, { folder })).rejects.toThrow('9001_typo.sql has an unknown mark: braking')
})

async function readIndex(pool: TestDatabase['pool']): Promise<object[]> {
  const { rows } = await pool.query(`select indisvalid from pg_index where indexrelid = to_regclass('users_by_name')`)
  return rows
}
