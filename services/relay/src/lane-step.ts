import type { Logger } from '@streamledger/runtime'
import { type TraceContext, traceFields } from '@streamledger/tracing'
import type { Doorbell, Pace } from './doorbell.ts'
import type { RelayMetrics } from './metrics.ts'
import type { Outbox } from './outbox.ts'
import type { PartitionLease } from './partition-lease.ts'
import { type Batch, type Kafka, OffsetBehindError, type Publisher, type Receipt, type Sight } from './publisher.ts'
import type { ReadBack } from './read-back.ts'
import type { StartRecordSpans } from './record-spans.ts'

export interface LaneDeps {
  outbox: Outbox
  kafka: Kafka
  readBack: ReadBack
  logger: Logger
  metrics: RelayMetrics
  /** Undefined: tracing is off. */
  startRecordSpans?: StartRecordSpans | undefined
  batch: { rowsMax: number; bytesMax: number }
  pace: Pace
  /** Records per producer before it is replaced: kafkajs resets sequence numbers at 2^31, where they should wrap. */
  producerRowsMax: number
  /** How long a receipt may lag behind Postgres before the partition is halted. */
  receiptPatienceMs: number
}

/** A lease, and the state that its lane shares with the relay. */
export interface HeldLease extends PartitionLease {
  bell: Doorbell
  /** The lane pauses between batches. It then reads the outbox by itself and needs no ring. */
  lingers: boolean
  /** The receipt must be written again before Kafka deletes it (offsets.retention.minutes). */
  receiptStale: boolean
  /** Trace of a record in the last published batch, if any is traced; for the log. */
  trace?: TraceContext | undefined
  /** A step begins. A lane that is stuck in a step loses its lease. */
  progressed(): void
  /** The lane waits for rows or for its next retry; it cannot be stuck until the next step. */
  resting(): void
  /** Kafka did what the lane asked of it. */
  reached(): void
  /** A step failed, and its outcome is unknown. */
  failed(error: unknown): void
}

/** Where a lane stands between two batches. */
export interface Position {
  publisher: Publisher
  batchSeq: number
  /** The Kafka offset after the last batch. */
  nextOffset: number
  /** The last batch is published but not yet confirmed in Postgres. */
  unconfirmed: boolean
  /** Number of records the publisher has sent. */
  sent: number
  /** Resolves when the last batch is visible in Kafka; undefined: it already is. */
  shown: Promise<Sight> | undefined
}

/** The partition is halted, or another replica holds its lease. Do not retry. */
export class LaneEndedError extends Error {
  override name = 'LaneEndedError'
}

/** The topic is another one than the lane has written to, or gone. */
export class TopicChangedError extends Error {
  override name = 'TopicChangedError'
}

/** The batch id of a receipt that belongs to no batch. */
export const NO_BATCH = '00000000-0000-0000-0000-000000000000'

export async function publish(deps: LaneDeps, lease: HeldLease, position: Position, batch: Batch): Promise<void> {
  const { metrics, startRecordSpans } = deps
  const spans = startRecordSpans?.(lease.partition, batch)
  lease.trace = spans?.first
  const receipt = await position.publisher.publish(batch, position.nextOffset).catch((error) => {
    spans?.doubted()
    if (error instanceof OffsetBehindError) return halt(deps, lease, batch.seq, error.message)
    throw error
  })
  spans?.acknowledged(receipt)
  position.nextOffset = receipt.offset
  position.unconfirmed = true
  position.sent += batch.rows.length
  position.shown = seeReceipt(deps, lease.partition, receipt)
  // relayOnce awaits it later; until then a rejection must not count as unhandled.
  position.shown.catch(() => {})
  metrics.published.inc(batch.rows.length)
  metrics.batches.inc()
}

/**
 * Waits until the commit marker is visible both in the consumer group and in the partition. An acknowledgement is not
 * enough: a broker can leave out either marker.
 */
export function seeReceipt({ readBack }: LaneDeps, partition: number, receipt: Receipt): Promise<Sight> {
  return readBack.until(
    partition,
    `batch ${receipt.seq} of partition ${partition} up to ${receipt.offset}`,
    (sight) => isShown(sight, receipt) && sight.stable >= receipt.offset,
  )
}

export function isShown({ receipt }: Sight, { seq, batchId, offset }: Receipt): boolean {
  return typeof receipt === 'object' && receipt.seq === seq && receipt.batchId === batchId && receipt.offset === offset
}

/** Writes a receipt without a batch: the first one, or one that Kafka would soon delete. */
export async function writeReceipt(deps: LaneDeps, lease: HeldLease, position: Position): Promise<void> {
  const receipt = { seq: position.batchSeq, batchId: NO_BATCH, offset: position.nextOffset }
  await position.publisher.writeReceipt(receipt)
  await seeReceipt(deps, lease.partition, receipt)
  await deps.outbox.noteReceipt(lease.partition, lease.token, receipt.offset)
  lease.receiptStale = false
}

export async function halt(
  { outbox, logger, metrics }: LaneDeps,
  lease: HeldLease,
  batchSeq: number,
  reason: string,
): Promise<never> {
  const { partition, token } = lease
  if (await outbox.halt(partition, token, batchSeq, reason)) {
    metrics.halts.inc()
    logger.error(
      { partition, reason, ...traceFields(lease.trace) },
      'partition halted: it is unclear what is published; see docs/runbook.md',
    )
  }
  throw new LaneEndedError(`partition ${partition} is halted`)
}
