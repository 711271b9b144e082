import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test as base, expect, waitFor } from '@streamledger/testkit'
import { dumpSchema } from '../src/dump-schema.ts'
import { migrate } from '../src/migrate.ts'
import { withholdGoodbyes } from './withhold-goodbyes.ts'

const MIGRATIONS = new URL('../migrations/', import.meta.url)

/** A copy of the migrations that a test may add to. */
const test = base.extend('folder', async ({ engines: _ }, { onCleanup }) => {
  const path = await mkdtemp(join(tmpdir(), 'migrations-'))
  onCleanup(() => rm(path, { recursive: true }))
  await cp(MIGRATIONS, path, { recursive: true })
  return pathToFileURL(`${path}/`)
})

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

test('a database that a newer release has added to is served, unless the addition is marked breaking', async ({
  createDatabase,
  folder,
}) => {
  const { url } = await createDatabase()
  await writeFile(new URL('9001_harmless.sql', folder), 'create table later (id int);')
  await migrate(url, { folder })
  await expect(migrate(url)).resolves.toBeUndefined()

  await writeFile(new URL('9002_breaking.sql', folder), '--! breaking\ndrop table later;')
  await migrate(url, { folder })
  await expect(migrate(url)).rejects.toMatchObject({
    code: 'database_too_new',
    message: expect.stringContaining('9002_breaking.sql'),
  })
  await expect(migrate(url, { folder })).resolves.toBeUndefined()
})

test('a connection that the server ends in the moment in which it is being closed ends no migration', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const way = await withholdGoodbyes(url)
  const migration = await spawnService('db/src/migrate-main.ts', { DATABASE_URL: way.url })
  // The first to be said is the job queue's migration's.
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
  await expect(migrate(url, { folder })).resolves.toBeUndefined()
})
