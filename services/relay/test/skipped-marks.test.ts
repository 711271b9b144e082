import { expect, test, waitFor } from '@streamledger/testkit'
import { FakeKafka, type Marks } from './fake-kafka.ts'
import { makeOpenBatch, readHalt, readOutbox, run } from './lane.ts'

// KAFKA-20734: a broker acknowledges a commit, and leaves its mark out of the data's partition, of the group's, or of both.

const SKIPPED: [string, Marks][] = [
  ['the data', { data: 'skipped', offsets: 'written' }],
  ['the receipt', { data: 'written', offsets: 'skipped' }],
  ['the data and of the receipt', { data: 'skipped', offsets: 'skipped' }],
]

test.for(SKIPPED)(
  'a lane that takes over after the mark of %s was skipped leaves each row in the topic once',
  async ([, marks], { database }) => {
    const lane = await makeOpenBatch(database)
    const kafka = new FakeKafka(lane.before)
    kafka.append(lane.batch, marks)
    const { stop, ended } = run(database, lane, kafka)
    await waitFor(async () => (await readOutbox(database, lane)).length === 0)
    stop.abort()
    await ended
    expect(kafka.readable).toEqual(['in batch 7', 'after it'])
    expect(kafka.receipt).toMatchObject({ seq: 8 })
  },
)

test.for(SKIPPED)(
  'a lane whose own commit loses the mark of %s notices before it confirms, and makes it good',
  async ([, marks], { database }) => {
    const lane = await makeOpenBatch(database)
    const kafka = new FakeKafka(lane.before)
    kafka.append(lane.batch, { data: 'written', offsets: 'written' })
    kafka.marks.push(marks)
    const { stop, ended } = run(database, lane, kafka)
    await waitFor(async () => (await readOutbox(database, lane)).length === 0)
    stop.abort()
    await ended
    expect(kafka.readable).toEqual(['in batch 7', 'after it'])
    expect(kafka.writers.slice(0, 2)).toEqual(['batch 8', 'fence'])
  },
)

test('a batch that lacks only its receipt gets it before the next one is named: the next holder may have to judge by it', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, { data: 'written', offsets: 'skipped' })
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.writers).toEqual(['fence', 'receipt 7', 'batch 8'])
})

test('a receipt that was left out once more when it was written by itself is written again, with nothing confirmed until it shows', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, { data: 'written', offsets: 'skipped' })
  kafka.marks.push({ data: 'written', offsets: 'written' }, { data: 'written', offsets: 'skipped' })
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.writers).toEqual(['fence', 'receipt 7', 'fence', 'receipt 7', 'batch 8'])
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
})

test('a batch that consumers cannot read yet keeps its rows in Postgres, however long that lasts', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, { data: 'skipped', offsets: 'written' })
  kafka.stuck = true
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(() => kafka.writers.length > 3)
  expect(new Set(kafka.writers)).toEqual(new Set(['fence']))
  expect(await readOutbox(database, lane)).toEqual(['in batch 7', 'after it'])
  kafka.stuck = false
  await waitFor(async () => (await readOutbox(database, lane)).length === 0, { timeoutMs: 20_000 })
  stop.abort()
  await ended
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
})

test('a lane that dies between the fence and the second publication is made good by the next one', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, { data: 'skipped', offsets: 'written' })
  const publisher = await kafka.openPublisher()
  await publisher.fence(lane.before) // aborts the batch, and leaves the receipt that says it is there
  expect(kafka.receipt).toMatchObject({ seq: 7, batchId: lane.batch.batchId })
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
})

test('a fence whose own marks are skipped decides nothing', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, { data: 'skipped', offsets: 'skipped' })
  kafka.marks.push({ data: 'skipped', offsets: 'skipped' })
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
  expect(kafka.writers).toEqual(['fence', 'fence', 'batch 7', 'batch 8'])
})

test('what hangs of a confirmed batch is never fenced: its partition halts when patience is over', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka({ ...lane.before, seq: 5 }, 39)
  // As a relay without this guard left it: batch 6 is confirmed, and its rows are gone.
  kafka.append({ seq: 6, batchId: lane.before.batchId, rows: lane.batch.rows }, { data: 'skipped', offsets: 'written' })
  await run(database, lane, kafka, { receiptPatienceMs: 300 }).ended
  expect(kafka.writers).toEqual([])
  expect(await readHalt(database, lane)).toBe('batch 6 is confirmed, and consumers read only to 39 of its 40')
})
