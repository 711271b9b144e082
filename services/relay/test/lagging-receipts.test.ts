import { randomUUID } from 'node:crypto'
import { expect, test, waitFor } from '@streamledger/testkit'
import type { Receipt } from '../src/publisher.ts'
import { FakeKafka } from './fake-kafka.ts'
import { makeOpenBatch, readHalt, readOutbox, run } from './lane.ts'

// A broker that was killed answers with old receipts for a moment, and only after tens of thousands of them.

const WRITTEN = { data: 'written', offsets: 'written' } as const

test('receipts that lag for a moment halt nothing and double nothing', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, WRITTEN)
  const old: Receipt = { seq: 3, batchId: randomUUID(), offset: 20 }
  kafka.shown.push(undefined, old, { ...old, seq: 5 })
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
  expect(kafka.writers).toEqual(['batch 8'])
  expect(await readHalt(database, lane)).toBeNull()
})

test('a receipt of the batch before that is only old does not publish the batch again', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before)
  kafka.append(lane.batch, WRITTEN)
  kafka.shown.push(lane.before)
  const { stop, ended } = run(database, lane, kafka)
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
  expect(kafka.writers, 'nor is its receipt written again').toEqual(['fence', 'batch 8'])
})

test.for([
  ['ahead', { seq: 9, batchId: randomUUID(), offset: 48 }, 'the receipt is of batch 9'],
  [
    'of another batch of the same number',
    { seq: 7, batchId: randomUUID(), offset: 41 },
    'the receipt of batch 7 is for',
  ],
] as const)(
  'a receipt that is %s, and shows only after an old one did, halts the partition before anything is published',
  async ([, receipt, reason], { database }) => {
    const lane = await makeOpenBatch(database)
    // As after a database that was restored and a broker that was killed: batch 7 is not the one that Kafka knows.
    const kafka = new FakeKafka(receipt)
    kafka.shown.push(lane.before)
    await run(database, lane, kafka).ended
    expect(kafka.writers).toEqual(['fence'])
    expect(await readHalt(database, lane)).toContain(reason)
    expect(await readOutbox(database, lane)).toEqual(['in batch 7', 'after it'])
  },
)

test('receipts that stay behind halt the partition when patience is over', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(undefined, 40)
  await run(database, lane, kafka, { receiptPatienceMs: 300 }).ended
  expect(kafka.writers).toEqual([])
  expect(await readHalt(database, lane)).toContain('there is no receipt of any batch')
})

/** Shows no receipt to the first look after it is opened for the first and for the third time. */
class ForgetfulKafka extends FakeKafka {
  opened = 0

  override openPublisher() {
    this.opened += 1
    if (this.opened === 1 || this.opened === 3) this.shown.push(undefined)
    return super.openPublisher()
  }
}

test('patience begins anew when receipts have caught up in between', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new ForgetfulKafka(lane.before)
  kafka.append(lane.batch, WRITTEN)
  // The batch of the second producer is not shown for longer than the patience.
  kafka.marks.push({ data: 'skipped', offsets: 'skipped' })
  const { stop, ended } = run(database, lane, kafka, { stepTimeoutMs: 200, receiptPatienceMs: 100 })
  await waitFor(async () => (await readOutbox(database, lane)).length === 0)
  stop.abort()
  await ended
  expect(kafka.opened).toBe(4)
  expect(await readHalt(database, lane)).toBeNull()
  expect(kafka.readable).toEqual(['in batch 7', 'after it'])
})

test('a receipt that is ahead halts the partition at once', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka({ ...lane.before, seq: 9 })
  await run(database, lane, kafka).ended
  expect(kafka.writers).toEqual([])
  expect(await readHalt(database, lane)).toContain('the receipt is of batch 9')
})

test('a topic that was truncated or made anew halts the partition when patience is over', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka(lane.before, 0)
  await run(database, lane, kafka, { receiptPatienceMs: 300 }).ended
  expect(kafka.writers).toEqual([])
  expect(await readHalt(database, lane)).toContain('the partition ends at 0, before the end of batch 6 at 40')
})
