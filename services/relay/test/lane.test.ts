import { randomUUID } from 'node:crypto'
import { expect, test, waitFor } from '@streamledger/testkit'
import { createOutbox } from '../src/outbox.ts'
import { FakeKafka } from './fake-kafka.ts'
import { insertRow, makeOpenBatch, readHalt, readOutbox, run } from './lane.ts'

const WRITTEN = { data: 'written', offsets: 'written' } as const
const SKIPPED = { data: 'skipped', offsets: 'skipped' } as const
const NO_BATCH = '00000000-0000-0000-0000-000000000000'

test('a lane whose lease has gone to another ends, and halts and publishes nothing', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  await run(database, { ...lane, token: randomUUID() }, kafka).ended
  expect(kafka.writers).toEqual([])
  expect(await readHalt(database, lane)).toBeNull()
})

/** Lets something be done at the last moment before older writers are fenced, once. */
class OvertakenKafka extends FakeKafka {
  opened = 0
  meanwhile: (() => unknown) | undefined

  override async openPublisher() {
    this.opened += 1
    await this.meanwhile?.()
    this.meanwhile = undefined
    return super.openPublisher()
  }
}

test.for([
  ['a commit', ['batch 8']],
  ['an intent', ['fence', 'batch 8']],
] as const)(
  '%s of an older writer that lands while it is being fenced is seen by the recovery',
  async ([what, writers], { database }) => {
    const lane = await makeOpenBatch(database)
    const { partition, token, batch } = lane
    const kafka = new OvertakenKafka(lane.before)
    const commit = () => kafka.append(batch, WRITTEN)
    const limits = { nextOffset: undefined, rowsMax: 10, bytesMax: 1_000 }
    const intend = () => createOutbox(database.pool).intend({ partition, token, batchSeq: batch.seq, ...limits })
    if (what === 'an intent') commit()
    kafka.meanwhile = what === 'an intent' ? intend : commit
    const { stop, ended } = run(database, lane, kafka)
    await waitFor(async () => (await readOutbox(database, lane)).length === 0)
    stop.abort()
    await ended
    expect(kafka.writers).toEqual(writers)
    expect(kafka.opened, 'it was in doubt once').toBe(1)
    expect(kafka.readable).toEqual(['in batch 7', 'after it'])
  },
)

test('an open batch that has lost a row in Postgres halts its partition, and is not published in part', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  await database.pool.query('delete from outbox where partition = $1 and payload = $2', [lane.partition, 'in batch 7'])
  await run(database, lane, kafka).ended
  expect(await readHalt(database, lane)).toBe('batch 7 had 1 rows and now has 0')
  expect(kafka.writers).toEqual(['fence'])
})

test('a row of another history of the database halts its partition, with what was published before confirmed', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, WRITTEN)
  await database.pool.query(
    `insert into outbox (partition, key, payload, headers, xid) values ($1, 'k', 'foreign', '{}', '900000000000')`,
    [lane.partition],
  )
  await run(database, lane, kafka).ended
  expect(await readHalt(database, lane)).toBe('an outbox row is newer than every transaction of this database')
  expect(kafka.writers).toEqual([])
  expect(await readOutbox(database, lane)).toEqual(['after it', 'foreign'])
})

test('the first receipt of a partition is written until it shows, before anything is published', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  await database.pool.query(
    `update relay_partitions set batch_id = null, batch_last_id = null, batch_snapshot = null, batch_rows = null
      where partition = $1`,
    [lane.partition],
  )
  const kafka = new FakeKafka(undefined, 40)
  kafka.marks.push(SKIPPED)
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.writers).toEqual(['receipt 7', 'receipt 7', 'batch 8'])
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
})

test('a receipt that Kafka is about to forget is written until it shows: the old one has the same number and offset', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, WRITTEN)
  kafka.marks.push(WRITTEN, SKIPPED)
  const { stop, ended, bell } = run(database, lane, kafka, { receiptStale: true })
  await waitFor(() => {
    bell.ring()
    expect(kafka.receipt).toMatchObject({ seq: 8, batchId: NO_BATCH })
  })
  expect(kafka.writers).toEqual(['batch 8', 'receipt 8', 'receipt 8'])
  await insertRow(database.pool, lane.partition, 'later')
  bell.ring()
  await waitFor(() => expect(kafka.readable).toEqual(['in batch 7', 'after it', 'later']))
  stop.abort()
  await ended
})

test('a lane pauses after a batch only if it has taken all rows that waited, by their bytes, too', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  for (let row = 10; row < 40; row += 1) await insertRow(database.pool, lane.partition, `row ${row}`)
  const kafka = new FakeKafka(lane.before)
  // Each row has 6 bytes, and 2 for its empty headers; the first one, "after it", has 2 more.
  const { stop, lease, ended } = run(database, lane, kafka, { batch: { rowsMax: 1_000, bytesMax: 80 } })
  let pauses = 0
  Object.defineProperty(lease, 'lingers', {
    set: (lingers) => {
      if (lingers) pauses += 1
    },
  })
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.writers).toEqual(['fence', 'batch 7', 'batch 8', 'batch 9', 'batch 10', 'batch 11'])
  expect(pauses).toBeLessThanOrEqual(1)
})
