import { randomUUID } from 'node:crypto'
import { createLogger, createRegistry } from '@streamledger/runtime'
import type { TestDatabase } from '@streamledger/testkit'
import { Doorbell } from '../src/doorbell.ts'
import { runLane } from '../src/lane.ts'
import type { HeldLease } from '../src/lane-step.ts'
import { createRelayMetrics } from '../src/metrics.ts'
import { createOutbox } from '../src/outbox.ts'
import type { Batch, Kafka, Receipt } from '../src/publisher.ts'
import { ReadBack } from '../src/read-back.ts'

const LIMITS = { rowsMax: 10, bytesMax: 100_000 }
/** Where batch 6, which is confirmed, ends in Kafka. */
const CONFIRMED_END = 40

export interface OpenBatch {
  partition: number
  token: string
  /** Batch 7, with one row. */
  batch: Batch
  /** Of batch 6. */
  before: Receipt
}

/** A lane in the middle of batch 7, with one row after it. */
export async function makeOpenBatch({ pool }: TestDatabase): Promise<OpenBatch> {
  const { rows } = await pool.query(
    `insert into relay_partitions (partition, batch_seq, next_offset)
     select coalesce(max(partition), 0) + 1, 6, $1 from relay_partitions returning partition`,
    [CONFIRMED_END],
  )
  const { partition } = rows[0]
  const token = randomUUID()
  await pool.query(
    `update relay_partitions set lease_owner = $2, lease_token = $2, lease_expires_at = now() + interval '1 hour' where partition = $1`,
    [partition, token],
  )
  await insertRow(pool, partition, 'in batch 7')
  const batch = await createOutbox(pool).intend({ partition, token, batchSeq: 6, nextOffset: undefined, ...LIMITS })
  await insertRow(pool, partition, 'after it')
  return { partition, token, batch, before: { seq: 6, batchId: randomUUID(), offset: CONFIRMED_END } }
}

export function insertRow(pool: TestDatabase['pool'], partition: number, payload: string) {
  return pool.query(`insert into outbox (partition, key, payload, headers) values ($1, 'k', $2, '{}')`, [
    partition,
    payload,
  ])
}

export interface RunOptions {
  receiptPatienceMs?: number
  producerRowsMax?: number
  stepTimeoutMs?: number
  receiptStale?: boolean
  batch?: typeof LIMITS
}

export function run(
  { pool }: TestDatabase,
  { partition, token }: OpenBatch,
  kafka: Kafka,
  {
    receiptPatienceMs = 60_000,
    stepTimeoutMs = 200,
    producerRowsMax = 1_000_000,
    receiptStale = false,
    batch = LIMITS,
  }: RunOptions = {},
) {
  const stop = new AbortController()
  const nothing = () => {}
  const lease: HeldLease = { partition, token, bell: new Doorbell(), lingers: false, receiptStale, progressed: nothing, resting: nothing, reached: nothing, failed: nothing } // biome-ignore format: one line
  const deps = {
    outbox: createOutbox(pool),
    kafka,
    readBack: new ReadBack(kafka, stepTimeoutMs),
    logger: createLogger({ service: 'test', level: 'silent' }),
    metrics: createRelayMetrics(createRegistry('test'), pool),
    batch,
    pace: { pollMs: 5, pollIdleMs: 100, lingerMs: 0 },
    receiptPatienceMs,
    producerRowsMax,
  }
  return { stop, lease, bell: lease.bell, ended: runLane(deps, lease, stop.signal) }
}

export async function readHalt({ pool }: TestDatabase, { partition }: OpenBatch): Promise<string | null> {
  const { rows } = await pool.query('select halted_reason from relay_partitions where partition = $1', [partition])
  return rows[0].halted_reason
}

/** What still waits in the outbox, published and not confirmed included. */
export async function readOutbox({ pool }: TestDatabase, { partition }: OpenBatch): Promise<string[]> {
  const { rows } = await pool.query('select payload from outbox where partition = $1 order by id', [partition])
  return rows.map(({ payload }) => payload)
}
