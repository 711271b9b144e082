import { partitionFor } from '@streamledger/events'
import { expect, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import pg, { type Pool } from 'pg'
import { countOutbox } from '../system.ts'
import { type Cell, openCell, PATIENT, ROWS, waitUntilStruck } from './cell.ts'

// What comes late: rows that commit after others with higher ids, and an intent that was on its way for a long time.

const BATCHES = 1_000
const LATE_KEYS = ['late-1', 'late-2', 'late-3']
const LATE_ROWS = 5
const LATE_TOTAL = LATE_KEYS.length * LATE_ROWS

test.concurrent('rows that commit a thousand batches late, with lower ids, come out once and in order', async ({
  createDatabase,
  kafka,
  spawnService,
  onTestFinished,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const { pool, installation } = cell
  const late = await beginLate(cell)
  onTestFinished(() => late.end())
  for (let rows = 0; rows < BATCHES; rows += ROWS) await cell.insert()
  await cell.start({ RELAY_BATCH_ROWS_MAX: '1' })
  await waitFor(async () => expect(await countOutbox(pool)).toBe(0), PATIENT)
  expect(await readBatches(pool)).toBeGreaterThanOrEqual(BATCHES)
  await cell.isOnceAndInOrder()

  await commitLate(cell, late)
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  const ofLate = (await kafka.readAll(installation.topic)).filter(({ key }) => LATE_KEYS.includes(key ?? ''))
  expect(ofLate).toHaveLength(LATE_TOTAL)
  cell.close()
}, 240_000)

test.concurrent('a row that commits while a batch with higher ids is open is not confirmed with it', async ({
  createDatabase,
  kafka,
  spawnService,
  onTestFinished,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const late = await beginLate(cell)
  onTestFinished(() => late.end())
  const relay = await cell.start()
  await cell.isSteady(1)
  const fault = cell.arm({ step: 'send', nth: 1, point: 'before', signal: 'SIGSTOP' })
  await cell.insert()
  await waitUntilStruck(fault, [relay])
  await commitLate(cell, late)
  relay.signal('SIGCONT')
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  cell.close()
})

test.concurrent('an intent that arrives when its lane has long given it up and gone on changes nothing', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService }, 1)
  const { pool } = cell
  const proxy = await startTcpProxy(cell.databaseUrl)
  // The lane gives the intent up before it counts as stuck: its lease stays its own, and only the number is another.
  const relay = await cell.start({
    DATABASE_URL: proxy.address,
    STATEMENT_TIMEOUT_MS: '500',
    RELAY_STEP_TIMEOUT_MS: '5000',
    RELAY_TRANSACTION_TIMEOUT_MS: '10000',
  })
  await cell.isSteady(1)
  const before = await readLane(pool)
  const delayed = proxy.hold('relay-intend')
  const fault = cell.arm({ step: 'send', nth: 1, point: 'before', signal: 'SIGSTOP' })
  await cell.insert()
  await waitFor(() => delayed.isCaught, PATIENT)
  // The lane asks again over another connection, and stops with that batch open and not in Kafka.
  await waitUntilStruck(fault, [relay])
  const open = await readLane(pool)
  expect(open).toMatchObject({ lease_token: before.lease_token, batch_seq: before.batch_seq + 1 })
  expect(open.batch_id).not.toBeNull()

  const sessions = await countSessions(pool)
  delayed.release()
  // The delayed one has been executed when its session, whose client has hung up, is over.
  await waitFor(async () => expect(await countSessions(pool)).toBe(sessions - 1), PATIENT)
  expect(await readLane(pool)).toEqual(open)

  relay.signal('SIGCONT')
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  await proxy.close()
  cell.close()
})

/**
 * Inserts rows of keys of their own in a transaction that stays open. Of one wallet, no row can commit before an earlier
 * one: its lock is held to the end. It has a snapshot, too: as long as it lasts, no deleted row leaves the table for good.
 */
async function beginLate({ databaseUrl, installation }: Cell): Promise<pg.Client> {
  const client = new pg.Client(databaseUrl)
  client.on('error', () => {}) // at the end of a test, its database may go first
  await client.connect()
  await client.query('begin isolation level repeatable read')
  for (const key of LATE_KEYS) {
    for (let sequence = 1; sequence <= LATE_ROWS; sequence += 1) {
      await client.query('insert into outbox (partition, key, payload, headers) values ($1, $2, $3, $4)', [
        partitionFor(key, installation.partitions),
        key,
        JSON.stringify({ key, sequence }),
        '{}',
      ])
    }
  }
  return client
}

async function commitLate(cell: Cell, client: pg.Client): Promise<void> {
  await client.query('commit')
  cell.expectMore(LATE_TOTAL)
}

async function readBatches(pool: Pool): Promise<number> {
  const { rows } = await pool.query('select sum(batch_seq)::int as batches from relay_partitions')
  return rows[0].batches
}

async function readLane(pool: Pool) {
  const { rows } = await pool.query(
    'select lease_token, batch_seq, batch_id, batch_rows, (select count(*)::int from outbox) as rows from relay_partitions',
  )
  return rows[0]
}

async function countSessions(pool: Pool): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as sessions from pg_stat_activity
      where datname = current_database() and application_name = 'streamledger relay'`,
  )
  return rows[0].sessions
}
