import { randomUUID } from 'node:crypto'
import { createLogger, createRegistry } from '@streamledger/runtime'
import { expect, type TestDatabase, test, waitFor } from '@streamledger/testkit'
import { Doorbell } from '../src/doorbell.ts'
import { type HeldLease, runLane } from '../src/lane.ts'
import { createRelayMetrics } from '../src/metrics.ts'
import { createOutbox } from '../src/outbox.ts'
import type { Batch, Kafka, Receipt } from '../src/publisher.ts'

// A broker that was killed answers with old receipts for a moment, and only after tens of thousands of them: here the
// port stands for it. Postgres is real.

const NO_BATCH = '00000000-0000-0000-0000-000000000000'

/** A Kafka that keeps what is published, and shows the receipts that a test says, one a reading, the truth at last. */
function makeKafka(truth: Receipt | undefined, shown: (Receipt | undefined)[]) {
  let receipt = truth
  let readings = 0
  const published: Batch[] = []
  const kafka: Kafka = {
    openPublisher: async () => ({
      publish: async (batch) => {
        published.push(batch)
        receipt = { seq: batch.seq, batchId: batch.batchId, offset: 100 + batch.seq }
        return receipt
      },
      writeReceipt: async (seq) => {
        receipt = { seq, batchId: NO_BATCH, offset: 0 }
        return receipt
      },
      discard: async () => {},
    }),
    readReceipt: async () => {
      readings += 1
      return readings <= shown.length ? shown[readings - 1] : receipt
    },
    readEndOffset: async () => 0,
    containsBatch: async () => false,
    close: async () => {},
  }
  return { kafka, published }
}

/** A lane in the middle of batch 7, which is in Kafka. */
async function makeOpenBatch({ pool }: TestDatabase) {
  const { rows } = await pool.query(
    'insert into relay_partitions (partition, batch_seq) select coalesce(max(partition), 0) + 1, 6 from relay_partitions returning partition',
  )
  const { partition } = rows[0]
  const token = randomUUID()
  await pool.query(
    `update relay_partitions set lease_owner = $2, lease_token = $2, lease_expires_at = now() + interval '1 hour' where partition = $1`,
    [partition, token],
  )
  await pool.query(`insert into outbox (partition, key, payload, headers) values ($1, 'k', 'in batch 7', '{}')`, [
    partition,
  ])
  const limits = { rowsMax: 10, bytesMax: 100_000 }
  const batch = await createOutbox(pool).intend({ partition, token, batchSeq: 6, nextOffset: undefined, ...limits })
  await pool.query(`insert into outbox (partition, key, payload, headers) values ($1, 'k', 'after it', '{}')`, [
    partition,
  ])
  const truth: Receipt = { seq: 7, batchId: batch.batchId, offset: 50 }
  return { partition, token, truth }
}

function run(
  database: TestDatabase,
  lane: { partition: number; token: string },
  kafka: Kafka,
  receiptPatienceMs: number,
) {
  const stop = new AbortController()
  const lease: HeldLease = {
    ...lane,
    bell: new Doorbell(),
    receiptStale: false,
    progressed: () => {},
    resting: () => {},
  }
  const deps = {
    outbox: createOutbox(database.pool),
    kafka,
    logger: createLogger({ service: 'test', level: 'silent' }),
    metrics: createRelayMetrics(createRegistry('test'), database.pool),
    batch: { rowsMax: 10, bytesMax: 100_000 },
    pace: { pollMs: 5, pollIdleMs: 100, lingerMs: 0 },
    receiptPatienceMs,
  }
  return { stop, ended: runLane(deps, lease, stop.signal) }
}

async function readHalt({ pool }: TestDatabase, partition: number): Promise<string | null> {
  const { rows } = await pool.query('select halted_reason from relay_partitions where partition = $1', [partition])
  return rows[0].halted_reason
}

test('receipts that lag for a moment halt nothing and double nothing', async ({ database }) => {
  const { truth, ...lane } = await makeOpenBatch(database)
  const old: Receipt = { seq: 3, batchId: randomUUID(), offset: 20 }
  const { kafka, published } = makeKafka(truth, [undefined, old, { ...old, seq: 5 }])
  const { stop, ended } = run(database, lane, kafka, 60_000)
  await waitFor(() => published.length > 0)
  stop.abort()
  await ended
  expect(published.map(({ seq, rows }) => [seq, rows.map(({ payload }) => payload)])).toEqual([[8, ['after it']]])
  expect(await readHalt(database, lane.partition)).toBeNull()
})

test('receipts that stay behind halt the partition when patience is over', async ({ database }) => {
  const { truth: _, ...lane } = await makeOpenBatch(database)
  const { kafka, published } = makeKafka(undefined, [])
  const { ended } = run(database, lane, kafka, 300)
  await ended
  expect(published).toEqual([])
  expect(await readHalt(database, lane.partition)).toContain('there is no receipt of any batch')
})

test('a receipt that is ahead halts the partition at once', async ({ database }) => {
  const { truth, ...lane } = await makeOpenBatch(database)
  const { kafka, published } = makeKafka({ ...truth, seq: 9 }, [])
  await run(database, lane, kafka, 60_000).ended
  expect(published).toEqual([])
  expect(await readHalt(database, lane.partition)).toContain('the receipt is of batch 9')
})
