import { readFile } from 'node:fs/promises'
import { test as base, describe, expect } from '@streamledger/testkit'
import pg from 'pg'
import { type Migration, type MigrationMark, readMigrations } from '../src/read-migrations.ts'
import { judgeMigration } from './judge-migration.ts'

// docs/decisions/0024-expand-then-contract.md: what a release may do to the schema that the previous one is still running on.

const RELEASES: Record<string, string> = JSON.parse(
  await readFile(new URL('../releases.json', import.meta.url), 'utf8'),
)
const migrations = await readMigrations()

const test = base
  .extend('client', async ({ createDatabase }, { onCleanup }) => {
    const { url } = await createDatabase({ empty: true })
    return connect(url, onCleanup)
  })
  .extend('migrated', async ({ database }, { onCleanup }) => connect(database.url, onCleanup))

async function connect(connectionString: string, onCleanup: (end: () => Promise<void>) => void): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  onCleanup(() => client.end())
  return client
}

function makeMigration(sql: string, ...marks: MigrationMark[]): Migration {
  return { version: 9001, name: '9001_tried.sql', sql, checksum: '', marks: new Set(marks) }
}

test('no migration since the last release takes away, demands or blocks what that release needs', async ({
  client,
}) => {
  const released = Object.values(RELEASES).at(-1)
  const last = migrations.findIndex(({ name }) => name === released)
  expect(last).toBeGreaterThanOrEqual(0)
  const faults: string[] = []
  for (const [index, migration] of migrations.entries()) {
    const found = index > last ? await judgeMigration(client, migration) : []
    faults.push(...found.map((fault) => `${migration.name} ${fault}`))
    // Alone on its connection, each may build its index in a transaction of its own.
    await client.query(migration.sql)
  }
  expect(faults).toEqual([])
})

describe('of a migration that is tried', () => {
  const cases: [string, string, string[]][] = [
    ['adds a column', 'alter table wallets add column note text', []],
    ['adds a column with a default', 'alter table wallets add column rank integer not null default 0', []],
    ['adds a table that refers to another', 'create table notes (wallet_id bigint references wallets (id))', []],
    ['adds a constraint for later', 'alter table users add constraint short check (first_name <> $$$$) not valid', []],
    [
      'writes a small table, all of it anew',
      `update topic set paused_reason = 'none'; alter table topic add column n uuid default gen_random_uuid()`,
      [],
    ],
    ['drops a column', 'alter table sessions drop column revoked_at', ['takes away column sessions.revoked_at']],
    [
      'renames a column',
      'alter table sessions rename column revoked_at to ended_at',
      ['takes away column sessions.revoked_at'],
    ],
    ['drops an index', 'drop index exports_unfinished', ['takes away index exports.exports_unfinished']],
    [
      'changes a type',
      'alter table refusals alter column trans_id type varchar(100)',
      ['changes the type of column refusals.trans_id', 'writes all of refusals anew'],
    ],
    [
      'wants a new column filled',
      'alter table sessions add column device text not null',
      ['wants column sessions.device to be filled'],
    ],
    [
      'wants an old column filled',
      'alter table sessions alter column revoked_at set not null',
      ['wants column sessions.revoked_at to be filled'],
    ],
    [
      'gives rows that are there a value each',
      'alter table sessions add column device uuid not null default gen_random_uuid()',
      ['writes all of sessions anew'],
    ],
    ['fills a column', `update users set first_name = 'x' where false`, ['writes rows of users']],
    [
      'builds an index',
      'create index users_by_name on users (last_name)',
      ['builds index users.users_by_name while nobody can write'],
    ],
    [
      'adds a constraint at once',
      'alter table users add constraint short check (first_name <> $$$$)',
      ['holds every row to constraint users.short while nobody can write'],
    ],
    [
      'has two tables at once',
      'alter table users add column note text; alter table wallets add column note text',
      ['blocks more than one table: users, wallets'],
    ],
  ]

  test.for(cases)('it is told that it %s', async ([, sql, faults], { migrated }) => {
    expect(await judgeMigration(migrated, makeMigration(sql))).toEqual(faults)
  })

  test('one that is marked may take away, and still not keep everybody waiting', async ({ migrated: client }) => {
    const dropping = makeMigration('alter table sessions drop column revoked_at', 'contract')
    expect(await judgeMigration(client, dropping)).toEqual([])
    const rewriting = makeMigration('alter table refusals alter column trans_id type varchar(100)', 'breaking')
    expect(await judgeMigration(client, rewriting)).toEqual(['writes all of refusals anew'])
  })
})
