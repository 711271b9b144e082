import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { migrate } from '@streamledger/db'
import { waitFor } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { ROOT } from '../../src/local-config.ts'
import { expectNothingLost } from './expect-nothing-lost.ts'
import { startPeople } from './people.ts'
import { type System, test } from './system.ts'

const CLIENTS = 8
const TABLES = ['users', 'wallets', 'transactions', 'refusals', 'outbox', 'exports']

test('each busy table gets a column and an index while it is used and somebody reads it, and no client notices', async ({
  system,
  kafka,
}) => {
  await system.start()
  const people = await startPeople(system, CLIENTS)
  await people.goOn()

  const folder = await makeMigrations()
  const applied: string[] = []
  const reader = await holdTables(system)
  const migrating = migrate(system.database.url, { folder, onApply: (name) => applied.push(name) })
  // It tries to get the lock, and must not get it while a reader holds the table.
  await people.goOn()
  if (applied.length > 0) throw new Error(`${applied} were applied under a reader`)
  await reader.release()
  await migrating
  await waitFor(() => applied.length === 2 * TABLES.length)
  await people.goOn()

  await people.stop()
  await expectNothingLost(people.all, system, kafka)
  await system.stop()
})

/** Those of this release, and what the next ones might bring. */
async function makeMigrations(): Promise<URL> {
  const path = await mkdtemp(join(tmpdir(), 'migrations-'))
  onTestFinished(() => rm(path, { recursive: true }))
  await cp(join(ROOT, 'db/migrations'), path, { recursive: true })
  for (const [index, table] of TABLES.entries()) {
    const column = `alter table ${table} add column added integer not null default 0;\n`
    await writeFile(join(path, `9${index}00_column.sql`), column)
    const built = `--! concurrent index\ncreate index concurrently ${table}_added on ${table} (added);\n`
    await writeFile(join(path, `9${index}01_index.sql`), built)
  }
  return pathToFileURL(`${path}/`)
}

/** What a dump does: it reads all tables, in one transaction. */
async function holdTables({ database }: System): Promise<{ release(): Promise<void> }> {
  const client = await database.pool.connect()
  await client.query('begin')
  for (const table of TABLES) await client.query(`select from ${table} limit 1`)
  return {
    release: async () => {
      await client.query('commit')
      client.release()
    },
  }
}
