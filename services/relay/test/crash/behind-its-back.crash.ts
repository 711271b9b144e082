import { expect, readMetric, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { openCell, PARTITIONS, PATIENT, waitUntilStruck } from './cell.ts'
import { deleteReceipts, readReceipts, withAdmin } from './receipt-group.ts'

// Changes of the topic or of the receipts by other programs.

test.concurrent('partitions that are added behind its back get no rows, and the relay says so', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const { topic } = cell.installation
  const relay = await cell.start({ RELAY_TOPIC_CHECK_MS: '200' })
  await cell.isSteady(1)
  await cell.insert()
  await withAdmin(kafka.brokers, (admin) =>
    admin.createPartitions({ topicPartitions: [{ topic, count: PARTITIONS + 2 }] }),
  )
  await waitFor(async () => expect(await readMetric(relay, 'streamledger_topic_partitions_unknown')).toBe(2), PATIENT)
  await waitFor(() => expect(relay.logs).toContain('partitions that the database does not know'), PATIENT)
  await cell.insert()
  await cell.isDrained()
  relay.signal('SIGKILL')
  await cell.start()
  await cell.insert()
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  const records = await kafka.readAll(topic)
  expect(Math.max(...records.map(({ partition }) => partition))).toBeLessThan(PARTITIONS)
  cell.close()
})

test.concurrent('receipts that are deleted while no batch is open are written again, running or not', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const relay = await cell.start()
  await cell.isSteady(1)
  await cell.insert()
  await cell.isDrained()
  await deleteReceipts(kafka.brokers, cell.installation)
  await cell.insert()
  await cell.isDrained()

  relay.signal('SIGTERM')
  expect(await relay.exited).toEqual({ code: 0, signal: null })
  await deleteReceipts(kafka.brokers, cell.installation)
  await cell.start()
  await waitFor(async () => {
    const receipts = [...(await readReceipts(kafka.brokers, cell.installation)).values()]
    expect(receipts.filter(({ metadata }) => metadata)).toHaveLength(PARTITIONS)
  }, PATIENT)
  await cell.insert()
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  cell.close()
})

test.concurrent.for(['before', 'after'] as const)(
  'receipts that are deleted with a batch open, by a relay that died %s its commit, are written again: the topic decides',
  async (point, { createDatabase, kafka, spawnService }) => {
    const cell = await openCell({ createDatabase, kafka, spawnService })
    const dead = await cell.start()
    await cell.isSteady(1)
    const fault = cell.arm({ step: 'commit', nth: 1, point, signal: 'SIGKILL' })
    await cell.insert()
    await waitUntilStruck(fault, [dead])
    // What it had sent when it died is still executed: another lane's intent opens a batch, too.
    await waitFor(async () => expect(await countSessions(cell.pool)).toBe(0), PATIENT)
    const open = await readOpen(cell.pool)
    expect(open.length).toBeGreaterThan(0)
    await deleteReceipts(kafka.brokers, cell.installation)

    const relay = await cell.start({ RELAY_RECEIPT_PATIENCE_MS: '500' })
    await cell.isDrained()
    await waitFor(() => relay.logs.includes('all receipts are gone, the topic decides'))
    await cell.insert()
    await cell.isDrained()
    await cell.isOnceAndInOrder()
    cell.close()
  },
)

test.concurrent('receipts that are deleted with a batch open, where Postgres has forgotten what came after it, halt that partition', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const dead = await cell.start()
  await cell.isSteady(1)
  const fault = cell.arm({ step: 'commit', nth: 1, point: 'after', signal: 'SIGKILL' })
  await cell.insert()
  await waitUntilStruck(fault, [dead])
  await waitFor(async () => expect(await countSessions(cell.pool)).toBe(0), PATIENT)
  // As a restored backup would have them: the rows of the lanes and of the outbox as they are now.
  await cell.pool.query('create table lanes_then as select * from relay_partitions')
  await cell.pool.query('create table rows_then as select * from outbox')
  const open = await readOpen(cell.pool)
  const between = await cell.start()
  await cell.insert()
  await cell.isDrained()
  between.signal('SIGTERM')
  await between.exited
  await deleteReceipts(kafka.brokers, cell.installation)
  await cell.pool.query('delete from relay_partitions')
  await cell.pool.query('insert into relay_partitions select * from lanes_then')
  await cell.pool.query('insert into outbox overriding system value select * from rows_then')

  await cell.start({ RELAY_RECEIPT_PATIENCE_MS: '500' })
  await waitFor(
    async () => expect((await readHalted(cell.pool)).map(({ partition }) => partition)).toEqual(open),
    PATIENT,
  )
  for (const { halted_reason } of await readHalted(cell.pool)) {
    expect(halted_reason).toContain('is open and there is no receipt of any batch, and the record at')
  }
  cell.close()
})

test.concurrent('receipts that are deleted with no batch open, where Postgres has forgotten batches, halt those partitions', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const stop = async (relay: Awaited<ReturnType<typeof cell.start>>) => {
    relay.signal('SIGTERM')
    expect(await relay.exited).toEqual({ code: 0, signal: null })
  }
  const first = await cell.start()
  await cell.isSteady(1)
  await cell.insert()
  await cell.isDrained()
  await stop(first)
  expect(await readOpen(cell.pool)).toEqual([])
  // As a restored backup would have them.
  await cell.pool.query('create table lanes_then as select * from relay_partitions')
  const second = await cell.start()
  await cell.insert()
  await cell.isDrained()
  await stop(second)
  const { rows: forgotten } = await cell.pool.query<{ partition: number }>(
    `select partition from relay_partitions lane join lanes_then earlier using (partition)
      where lane.next_offset > earlier.next_offset order by partition`,
  )
  expect(forgotten.length).toBeGreaterThan(0)
  await deleteReceipts(kafka.brokers, cell.installation)
  await cell.pool.query('delete from relay_partitions')
  await cell.pool.query('insert into relay_partitions select * from lanes_then')

  await cell.start()
  await waitFor(async () => expect(partitionsOf(await readHalted(cell.pool))).toEqual(partitionsOf(forgotten)), PATIENT)
  for (const { halted_reason } of await readHalted(cell.pool)) {
    expect(halted_reason).toMatch(/^there is no receipt, and the record at \d+ comes after batch \d+/)
  }
  cell.close()
})

const partitionsOf = (rows: { partition: number }[]): number[] => rows.map(({ partition }) => partition)

/** Of relays. */
async function countSessions(pool: Pool): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as count from pg_stat_activity
      where datname = current_database() and application_name = 'streamledger relay'`,
  )
  return rows[0].count
}

async function readOpen(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query(
    'select partition from relay_partitions where batch_id is not null order by partition',
  )
  return partitionsOf(rows)
}

async function readHalted(pool: Pool): Promise<{ partition: number; halted_reason: string }[]> {
  const { rows } = await pool.query(
    'select partition, halted_reason from relay_partitions where halted_at is not null order by partition',
  )
  return rows
}
