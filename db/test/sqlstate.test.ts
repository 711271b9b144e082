import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isUnavailable, migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { startPostgres } from '@streamledger/engines'
import { expect, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import pg from 'pg'
import { inTransaction } from '../src/transaction.ts'

const options = { applicationName: 'sqlstate', connectionsMax: 2, statementTimeoutMs: 200, connectTimeoutMs: 300 }

test('a server that cannot be reached is unavailable', async () => {
  const { pool, close } = createDatabase('postgres://nobody@127.0.0.1:9/none', options)
  await expect(pool.query('select 1').catch((error) => isUnavailable(error))).resolves.toBe(true)
  await close()
})

test('a server that accepts a connection and says nothing is unavailable', async ({ onTestFinished }) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  const url = `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`
  const { pool, close } = createDatabase(url, options)
  await expect(pool.query('select 1').catch((error) => isUnavailable(error))).resolves.toBe(true)
  await close()
  // A client outside of a pool has an error of its own for this.
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: options.connectTimeoutMs })
  await expect(client.connect().catch((error) => isUnavailable(error))).resolves.toBe(true)
})

test('a statement that runs too long, a connection that is cut and a pool that is exhausted are unavailable', async ({
  database,
}) => {
  const { pool, close } = createDatabase(database.url, options)
  await expect(pool.query('select pg_sleep(5)').catch((error) => isUnavailable(error))).resolves.toBe(true)
  await expect(
    pool.query('select pg_terminate_backend(pg_backend_pid())').catch((error) => isUnavailable(error)),
  ).resolves.toBe(true)
  const held = await Promise.all([pool.connect(), pool.connect()])
  await expect(pool.query('select 1').catch((error) => isUnavailable(error))).resolves.toBe(true)
  for (const client of held) client.release()
  await close()
})

test('a connection that is cut between two statements of a transaction is an error of the next one, not the end of the process', async ({
  database,
}) => {
  const broken: Error[] = []
  const { db, close } = createDatabase(database.url, { ...options, onError: (error) => broken.push(error) })
  const transaction = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
    await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid])
    await waitFor(() => broken.length > 0)
    await sql`select 1`.execute(trx)
  })
  await expect(transaction.catch((error) => isUnavailable(error))).resolves.toBe(true)
  await close()
})

test('a standby that has not been promoted is unavailable, also for a function that needs the end of the WAL', async ({
  onTestFinished,
}) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'standby-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const primary = await startPostgres({ dataDir })
  await migrate(primary.url)
  await primary.stop()
  writeFileSync(join(dataDir, 'pgdata', 'standby.signal'), '')
  const standby = await startPostgres({ dataDir })
  onTestFinished(() => standby.kill())
  const { pool, close } = createDatabase(standby.url, options)
  onTestFinished(close)
  for (const statement of ['select keep_ids_apart()', 'lock table wallets', `select nextval('transactions_id_seq')`]) {
    const failure = await pool.query(statement).catch((error) => error)
    expect({ statement, failure: String(failure), is: isUnavailable(failure) }).toMatchObject({ is: true })
  }
})

test('a mistake of ours is not', async ({ database: { pool } }) => {
  await expect(pool.query('select * from no_such_table').catch((error) => isUnavailable(error))).resolves.toBe(false)
})

test('a transaction that Postgres rolled back for a conflict runs again', async ({ database: { db, pool } }) => {
  await pool.query('create table if not exists counters (id int primary key, n int)')
  await pool.query('insert into counters values (1, 0), (2, 0)')
  const bump = (first: number, second: number) =>
    inTransaction(db, async (trx) => {
      const raw = trx.withTables<{ counters: { id: number; n: number } }>()
      for (const id of [first, second]) {
        await raw
          .updateTable('counters')
          .set(({ eb }) => ({ n: eb('n', '+', 1) }))
          .where('id', '=', id)
          .execute()
        // Long enough for the other transaction to lock its first row, so that the two deadlock.
        await raw.selectNoFrom(({ fn, val }) => fn('pg_sleep', [val(0.3)]).as('slept')).execute()
      }
    })
  await Promise.all([bump(1, 2), bump(2, 1)])
  expect((await pool.query('select n from counters order by id')).rows).toEqual([{ n: 2 }, { n: 2 }])
})
