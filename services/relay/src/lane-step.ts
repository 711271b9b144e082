import type { Logger } from '@streamledger/runtime'
import { type TraceContext, traceFields } from '@streamledger/tracing'
import type { Doorbell, Pace } from './doorbell.ts'
import type { RelayMetrics } from './metrics.ts'
import type { Outbox } from './outbox.ts'
import type { PartitionLease } from './partition-lease.ts'
import type { Batch, Kafka, Publisher, Receipt, Sight } from './publisher.ts'
import type { ReadBack } from './read-back.ts'
import type { StartRecordSpans } from './record-spans.ts'

export interface LaneDeps {
  outbox: Outbox
  kafka: Kafka
  readBack: ReadBack
  logger: Logger
  metrics: RelayMetrics
  /** Undefined where nothing is traced. */
  startRecordSpans?: StartRecordSpans | undefined
  batch: { rowsMax: number; bytesMax: number }
  pace: Pace
  /** After as many records of one producer a new one takes over: kafkajs resets sequence numbers at 2^31, where they should wrap. */
  producerRowsMax: number
  /** How long a receipt may lag behind before that is taken for the truth, in ms. */
  receiptPatienceMs: number
}

/** A lease as its lane sees it. */
export interface HeldLease extends PartitionLease {
  bell: Doorbell
  /** It will look by itself, and needs no ring. */
  lingers: boolean
  /** The receipt must be written for its own sake before Kafka forgets it. */
  receiptStale: boolean
  /** Of a record of the batch that was published last, if one of them is traced; for the log. */
  trace?: TraceContext | undefined
  /** Tells that a step begins: a lane that is stuck in one loses its lease. */
  progressed(): void
  /** Tells that the lane only waits, for rows or for better times: that is nothing to be stuck in. */
  resting(): void
}

/** Where a lane stands between two batches. */
export interface Position {
  publisher: Publisher
  batchSeq: number
  /** In Kafka, after the last batch. */
  nextOffset: number
  /** A batch is published and not yet confirmed in Postgres. */
  unconfirmed: boolean
  /** How many records the publisher has sent. */
  sent: number
  /** Settles when Kafka shows what was published last; undefined: it has. */
  shown: Promise<Sight> | undefined
}

/** The partition is stopped, in Postgres too; or it is not ours any more. Nothing to retry. */
export class LaneEndedError extends Error {
  override name = 'LaneEndedError'
}

/** The batch id of a receipt that was written by itself. */
const NO_BATCH = '00000000-0000-0000-0000-000000000000'

export async function publish(deps: LaneDeps, lease: HeldLease, position: Position, batch: Batch): Promise<void> {
  const { metrics, startRecordSpans } = deps
  const spans = startRecordSpans?.(lease.partition, batch)
  lease.trace = spans?.first
  const receipt = await position.publisher.publish(batch).catch((error) => {
    spans?.doubted()
    throw error
  })
  spans?.acknowledged(receipt)
  position.nextOffset = receipt.offset
  position.unconfirmed = true
  position.sent += batch.rows.length
  position.shown = seeReceipt(deps, lease.partition, receipt)
  // Whoever waits for it hears of it; until then it is nobody's unhandled rejection.
  position.shown.catch(() => {})
  metrics.published.inc(batch.rows.length)
  metrics.batches.inc()
}

/** A commit that was acknowledged counts when its mark is in the group and in the partition: a broker can leave out either. */
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

/** Writes a receipt that is of no batch: the first one, or one that Kafka is about to forget. */
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
      'partition halted: what is published cannot be decided; see docs/runbook.md',
    )
  }
  throw new LaneEndedError(`partition ${partition} is halted`)
}
