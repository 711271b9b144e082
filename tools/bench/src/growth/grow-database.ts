import { dumpSchema } from '@streamledger/db'
import { executeStatement } from '@streamledger/engines'
import pg from 'pg'
import { seedUsers } from '../ledger/seed-users.ts'
import type { Engines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import type { BenchDeps } from '../suite.ts'
import { FIRST_AT, growLedger } from './grow-ledger.ts'

const PREFIX = 'growth_'
/** Name of the database that is being written. One that a killed run has left is dropped. */
const DRAFT = `${PREFIX}draft`

/** The sizes that exist, ascending. */
export async function listGrownSizes(postgresUrl: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  try {
    const { rows } = await client.query(`select substr(datname, $1) as size from pg_database where datname ~ $2`, [
      PREFIX.length + 1,
      `^${PREFIX}[0-9]+$`,
    ])
    return rows.map(({ size }) => Number(size)).sort((one, other) => one - other)
  } finally {
    await client.end()
  }
}

/**
 * Creates the database of a size, and returns its name. It continues from the largest smaller one: with --keep from a
 * copy, otherwise from that database itself.
 */
export async function growDatabase(deps: BenchDeps, engines: Engines, size: number): Promise<string> {
  const name = `${PREFIX}${size}`
  const sizes = await listGrownSizes(engines.postgres.url)
  if (sizes.includes(size)) return name
  const execute = (statement: string) => executeStatement(engines.postgres.url, statement)
  await execute(`drop database if exists ${DRAFT}`)
  const base = sizes.findLast((smaller) => smaller < size)
  if (base === undefined) await execute(`create database ${DRAFT}`)
  else if (deps.keep === undefined) await execute(`alter database ${PREFIX}${base} rename to ${DRAFT}`)
  else await execute(`create database ${DRAFT} template ${PREFIX}${base} strategy file_copy`)
  await fillDraft(deps, engines, size)
  await execute(`alter database ${DRAFT} rename to ${name}`)
  await execute('checkpoint')
  return name
}

async function fillDraft(deps: BenchDeps, engines: Engines, size: number): Promise<void> {
  await using installation = await openInstallation(deps, engines, DRAFT)
  const { pool, databaseUrl } = installation
  const known = await pool.query<{ user_id: number }>('select user_id from wallets order by id')
  const users =
    known.rows.length > 0
      ? known.rows.map(({ user_id }) => user_id)
      : await seedUsers(installation, deps.pace.growth.wallets, FIRST_AT)
  const schema = await dumpSchema(databaseUrl)
  const client = await pool.connect()
  try {
    const onChunk = (rows: number) => deps.screen.progress(`${count(rows)} of ${count(size)} transactions written`)
    await growLedger(client, { users, size, signal: deps.signal, onChunk })
  } finally {
    client.release(true) // closed, because its settings are only for writing
  }
  if ((await dumpSchema(databaseUrl)) !== schema) throw new Error('the schema is not what it was before it was filled')
}

const count = (rows: number): string => rows.toLocaleString('en')
