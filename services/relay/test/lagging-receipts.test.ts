import { randomUUID } from 'node:crypto'
import { describe, expect, test, waitFor } from '@streamledger/testkit'
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
  const kafka = new FakeKafka({ ...lane.before, seq: 5 })
  await run(database, lane, kafka, { receiptPatienceMs: 300 }).ended
  expect(kafka.writers).toEqual([])
  expect(await readHalt(database, lane)).toContain('the receipt is of batch 5, and Postgres is at batch 7')
})

test('a partition is not halted, without any patience, before the question was asked anew over other connections', async ({
  database,
}) => {
  const lane = await makeOpenBatch(database)
  const kafka = new FakeKafka({ ...lane.before, seq: 5 })
  await run(database, lane, kafka, { receiptPatienceMs: 0 }).ended
  expect(kafka.renewals).toBe(3)
  expect(await readHalt(database, lane)).toContain('the receipt is of batch 5')
})

/** The connection that is there at the start leads to a broker that has lost the others: its state is old for ever. */
class ZombieKafka extends FakeKafka {
  old: Receipt | undefined

  override look = async () => {
    const sights = await this.lookAnew()
    if (this.renewals > 0 || !this.old) return sights
    return new Map([...sights].map(([partition, sight]) => [partition, { ...sight, receipt: this.old }]))
  }
}

test.for([
  ['of the batch before the last, or older', { seq: 3, batchId: randomUUID(), offset: 20 }],
  ['of the batch before', undefined],
] as const)(
  'a connection that shows a receipt %s, for ever, is given up: nothing halts, and the lane goes on',
  async ([, old], { database }) => {
    const lane = await makeOpenBatch(database)
    const kafka = new ZombieKafka(lane.before)
    kafka.old = old ?? lane.before
    kafka.append(lane.batch, WRITTEN)
    const { stop, ended } = run(database, lane, kafka, { receiptPatienceMs: 500, stepTimeoutMs: 100 })
    await waitFor(async () => (await readOutbox(database, lane)).length === 0)
    stop.abort()
    await ended
    expect(await readHalt(database, lane)).toBeNull()
    expect(kafka.readable).toEqual(['in batch 7', 'after it'])
  },
)

describe('receipts that are gone, all of them, while a batch is open', () => {
  test.for([
    ['is in the topic', true, ['fence', 'receipt 7', 'batch 8']],
    ['is not in the topic', false, ['fence', 'batch 7', 'batch 8']],
  ] as const)(
    'the batch %s: after the patience a fence and the topic decide',
    async ([, isSent, writers], { database }) => {
      const lane = await makeOpenBatch(database)
      const kafka = new FakeKafka(undefined, 40)
      if (isSent) kafka.append(lane.batch, { data: 'written', offsets: 'skipped' })
      const startedAt = performance.now()
      const { stop, ended } = run(database, lane, kafka, { receiptPatienceMs: 300 })
      await waitFor(async () => (await readOutbox(database, lane)).length === 0)
      expect(performance.now() - startedAt).toBeGreaterThan(300)
      stop.abort()
      await ended
      expect(await readHalt(database, lane)).toBeNull()
      expect(kafka.writers).toEqual(writers)
      expect(kafka.readable).toEqual(['in batch 7', 'after it'])
    },
  )

  test('the topic has another batch after what is confirmed, as when Postgres was restored: the partition halts', async ({
    database,
  }) => {
    const lane = await makeOpenBatch(database)
    const kafka = new FakeKafka(undefined, 40)
    const forgotten = { ...lane.batch, seq: 8, batchId: randomUUID() }
    for (const batch of [lane.batch, forgotten]) kafka.append(batch, { data: 'written', offsets: 'skipped' })
    await run(database, lane, kafka, { receiptPatienceMs: 100 }).ended
    expect(await readHalt(database, lane)).toContain('and the record at 42 is of another')
    expect(kafka.writers).toEqual(['fence'])
  })

  test('a confirmed batch that consumers cannot read is not fenced: its rows are gone', async ({ database }) => {
    const lane = await makeOpenBatch(database)
    const kafka = new FakeKafka(undefined, 39)
    await run(database, lane, kafka, { receiptPatienceMs: 100 }).ended
    expect(await readHalt(database, lane)).toContain('and consumers read only to 39 of 40')
    expect(kafka.writers).toEqual([])
  })
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

/** Shows an old receipt, then does not answer for longer than the patience, and then shows the old receipt once more. */
class InterruptedKafka extends FakeKafka {
  opened = 0
  silentUntil = 0

  override async openPublisher() {
    this.opened += 1
    if (this.opened === 1) {
      this.shown.push(undefined)
      this.silentUntil = performance.now() + 500
    } else if (performance.now() < this.silentUntil) throw new Error('connect ECONNREFUSED')
    else if (this.silentUntil > 0) {
      this.shown.push(undefined, undefined, undefined)
      this.silentUntil = 0
    }
    return super.openPublisher()
  }
}

test('an outage between two old receipts uses no patience up', async ({ database }) => {
  const lane = await makeOpenBatch(database)
  await database.pool.query('update relay_partitions set next_offset = null where partition = $1', [lane.partition])
  const kafka = new InterruptedKafka(lane.before)
  kafka.append(lane.batch, WRITTEN)
  const { stop, ended } = run(database, lane, kafka, { receiptPatienceMs: 400 })
  await Promise.race([ended, waitFor(async () => (await readOutbox(database, lane)).length === 0)])
  stop.abort()
  await ended
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
