import { traceFields } from '@streamledger/tracing'
import { judge, type Verdict } from './judge.ts'
import {
  type HeldLease,
  halt,
  isShown,
  type LaneDeps,
  LaneEndedError,
  NO_BATCH,
  type Position,
  publish,
  seeReceipt,
  writeReceipt,
} from './lane-step.ts'
import type { Lane } from './outbox.ts'
import { OtherClusterError, type Publisher, type Receipt, RecordsGoneError } from './publisher.ts'

/** State that a lane keeps from one recovery to the next. */
export interface Doubt {
  /** When Kafka first showed less than Postgres intended, by performance.now(). */
  behindSince: number | undefined
  /** How often it has shown that since, each time over other connections. */
  looks: number
}

export const NO_DOUBT: Doubt = { behindSince: undefined, looks: 0 }

/**
 * A partition is halted at the fourth look at the earliest: three of the four begin with the next of KAFKA_BROKERS, where
 * the first broker may be one that the others have lost.
 */
const LOOKS_BEFORE_HALT = 3

/**
 * Kafka shows an old state. After an unclean restart a broker answers for a group, without an error, before it has
 * loaded all offsets (seen with Apache Kafka 4.4.0: for half a second it returned receipts hundreds of batches old, or
 * none). Waiting is safe. To halt or to publish again because of such an answer would be wrong.
 */
export class ReceiptBehindError extends Error {
  override name = 'ReceiptBehindError'
}

/** The last receipt, and the offset from which on the open batch may be in the topic. */
interface InTopic {
  receipt: Receipt
  from: number
}

interface Settling {
  deps: LaneDeps
  lease: HeldLease
  lane: Lane
  doubt: Doubt
  publisher: Publisher
}

/** Fences earlier writers, then finds out whether the open batch is in Kafka, and publishes it if not. */
export async function recover(deps: LaneDeps, lease: HeldLease, doubt: Doubt): Promise<Position> {
  const { outbox, kafka, readBack } = deps
  const { partition, token } = lease
  const publisher = await kafka.openPublisher(partition)
  try {
    lease.progressed()
    // Read only after the fencing: until then an earlier writer could still change the partition.
    const lane = await outbox.readLane(partition, token)
    if (!lane) throw new LaneEndedError('the lease went to another replica')
    const sight = await readBack.until(partition, `partition ${partition}`, () => true)
    const { identity } = publisher
    const verdict = judge(lane, { ...sight, end: await kafka.readEndOffset(partition), identity })
    lease.progressed()
    const position = await settle({ deps, lease, lane, doubt, publisher }, verdict).catch((error) => {
      if (error instanceof RecordsGoneError) return halt(deps, lease, lane.batchSeq, error.message)
      throw error
    })
    if (!lane.pinned) await outbox.pinKafka(identity, typeof sight.receipt === 'object')
    return position
  } catch (error) {
    await publisher.discard()
    throw error
  }
}

async function settle(settling: Settling, verdict: Verdict): Promise<Position> {
  const { deps, lease } = settling
  switch (verdict.kind) {
    case 'go_on':
      return positionAt(settling, verdict.nextOffset)
    case 'write_receipt': {
      if (verdict.from !== undefined) await checkNothingAfter(settling, verdict.from, verdict.offset)
      const position = positionAt(settling, verdict.offset)
      await writeReceipt(deps, lease, position)
      return position
    }
    case 'look_up':
      return lookUpBatch(settling, verdict)
    case 'settle':
      return settleBatch(settling, verdict)
    case 'receipt_gone': {
      waitForReceipt(settling, verdict.reason)
      const { batchSeq } = settling.lane
      const receipt = { seq: batchSeq - 1, batchId: NO_BATCH, offset: verdict.from }
      return settleBatch(settling, { receipt, from: verdict.from })
    }
    case 'halt':
      return haltUnlessBehind(settling, verdict)
    case 'refuse':
      throw new OtherClusterError(verdict.reason) // watch-partitions.ts ends the process
  }
}

function positionAt({ lane, publisher }: Settling, nextOffset: number): Position {
  const { batchSeq, batch } = lane
  return { publisher, batchSeq, nextOffset, unconfirmed: batch !== undefined, sent: 0, shown: undefined }
}

/**
 * Goes on if the batch is where its receipt says. It may be missing: if its records had no marker, they may have been
 * aborted since, by a relay that died before it published them again, or by an operator with kafka-transactions.sh.
 */
async function lookUpBatch(settling: Settling, { receipt, from }: InTopic): Promise<Position> {
  const { deps, lease, lane } = settling
  const batchId = receipt.batchId
  const offset = await deps.kafka.findBatch(lane.partition, batchId, { from, to: receipt.offset }, lease.progressed)
  return offset === undefined ? settleBatch(settling, { receipt, from }) : positionAt(settling, receipt.offset)
}

/**
 * Ends records of the open batch that have no marker, then looks whether the batch is in the topic.
 *
 * A broker that skipped a marker (KAFKA-20734) leaves records in the log whose transaction has not ended. The next
 * COMMIT of the same producer would make them visible, and a batch published again would be there twice. So this writes
 * an ABORT first. The ABORT ends those records because a transactional id keeps its producer id, and the log keeps one
 * open transaction per producer id, from its first record to the next marker, across epochs. Three cases are left in
 * which it does not end them: the producer id was replaced (after 32,767 epochs or a week without use), the transaction
 * belongs to another producer, or this marker was skipped, too. Then the last stable offset stays before the fence, and
 * nothing is decided until it moves.
 *
 * The ABORT can only destroy the open batch, whose rows are still in Postgres: `judge` has just checked that all
 * batches before it are readable. Once the fence is in the partition, the partition refuses records of older epochs.
 */
async function settleBatch(settling: Settling, { receipt, from }: InTopic): Promise<Position> {
  const { deps, lease, lane, publisher } = settling
  const { partition, batch } = lane
  if (!batch) throw new Error('there is no open batch to settle')
  const fence = await publisher.fence(receipt)
  lease.progressed()
  const sight = await deps.readBack.until(
    partition,
    `the end of fence ${fence} of partition ${partition}`,
    ({ stable }) => stable > fence,
  )
  lease.progressed()
  // This sight is not an old one: the coordinator let this publisher begin only after the markers of the last
  // transaction were written or skipped, and the group acknowledged the fence's offset after it had applied all earlier
  // ones.
  const now = judge(lane, { ...sight, end: fence + 1 })
  if (now.kind === 'halt') return haltUnlessBehind(settling, now)
  if (now.kind === 'receipt_gone') await checkAlone(settling, now, fence)
  // The batch takes as many offsets as it has rows, plus one for the marker. With less room it cannot be there.
  const hasRoom = fence >= from + batch.rows + 1
  const offset = hasRoom
    ? await deps.kafka.findBatch(partition, batch.batchId, { from, to: fence }, lease.progressed)
    : undefined
  lease.progressed()
  if (offset === undefined) return publishAgain(settling, fence + 1)
  const found = { seq: lane.batchSeq, batchId: batch.batchId, offset: offset + batch.rows }
  if (!isShown(sight, found)) await completeReceipt(settling, found)
  return positionAt(settling, found.offset)
}

/**
 * Writes the missing receipt of a batch that is in the topic: the marker of its transaction was skipped in the group.
 * This is safe. The batch is known to be complete and committed: its id is random, one record batch holds all of it,
 * its transaction is committed, and after the fence nothing can change that. And no newer receipt is overwritten: the
 * one read after the fence is the newest, and it is of the previous batch.
 */
async function completeReceipt({ deps, lease, publisher }: Settling, receipt: Receipt): Promise<void> {
  await publisher.writeReceipt(receipt)
  await seeReceipt(deps, lease.partition, receipt)
  deps.logger.warn(
    { partition: lease.partition, receipt },
    'open batch was in Kafka without its receipt, receipt written',
  )
}

/**
 * Checks that the topic alone decides about an open batch when all receipts are gone. The caller has fenced the partition,
 * so what is in it up to the fence stays as it is.
 *
 * Without a receipt nothing says whether Postgres went back in time. If it did, the batches that it has forgotten are in
 * the topic after the last one that it knows as confirmed. So this halts if any record is there that is not of the open
 * batch. Records of other programs halt it, too.
 */
async function checkAlone(
  settling: Settling,
  { from, reason }: Extract<Verdict, { kind: 'receipt_gone' }>,
  fence: number,
): Promise<void> {
  waitForReceipt(settling, reason)
  const { deps, lease, lane } = settling
  const { partition, batchSeq, batch } = lane
  const batchId = batch?.batchId ?? NO_BATCH
  const other = await deps.kafka.findOtherRecord(partition, batchId, { from, to: fence }, lease.progressed)
  lease.progressed()
  if (other !== undefined) await halt(deps, lease, batchSeq, `${reason}, and the record at ${other} is of another`)
  deps.logger.warn({ partition, batchSeq, from, to: fence }, 'all receipts are gone, the topic decides')
}

/**
 * Checks that no batch is in the topic after what is confirmed, when no receipt says so and none is open. Otherwise
 * Postgres went back in time: it would publish what it has forgotten a second time.
 */
async function checkNothingAfter({ deps, lease, lane }: Settling, from: number, to: number): Promise<void> {
  const { partition, batchSeq } = lane
  const other = await deps.kafka.findOtherRecord(partition, NO_BATCH, { from, to }, lease.progressed)
  lease.progressed()
  if (other === undefined) return
  const reason = `there is no receipt, and the record at ${other} comes after batch ${batchSeq}, which ended at ${from}`
  await halt(deps, lease, batchSeq, reason)
}

/** Publishes the open batch again, after the topic has shown that no committed copy of it exists. */
async function publishAgain(settling: Settling, nextOffset: number): Promise<Position> {
  const { deps, lease, lane } = settling
  const { partition, batchSeq, batch } = lane
  if (!batch) throw new Error('there is no open batch to publish again')
  const rows = await deps.outbox.readOpenBatch(partition, lease.token, batchSeq)
  if (rows.length !== batch.rows) {
    return halt(deps, lease, batchSeq, `batch ${batchSeq} had ${batch.rows} rows and now has ${rows.length}`)
  }
  const position = positionAt(settling, nextOffset)
  await publish(deps, lease, position, { seq: batchSeq, batchId: batch.batchId, rows })
  const fields = { partition, batchSeq, rows: rows.length, ...traceFields(lease.trace) }
  deps.logger.info(fields, 'open batch was not in Kafka, published')
  return position
}

/** Halts, unless Kafka may still catch up. */
function haltUnlessBehind(settling: Settling, { behind, reason }: Extract<Verdict, { kind: 'halt' }>): Promise<never> {
  if (behind) waitForReceipt(settling, reason)
  return halt(settling.deps, settling.lease, settling.lane.batchSeq, reason)
}

/** Throws ReceiptBehindError while Kafka may still catch up. */
function waitForReceipt({ deps, doubt }: Settling, reason: string): void {
  const now = performance.now()
  doubt.behindSince ??= now
  const isEarly = now - doubt.behindSince < deps.receiptPatienceMs
  if (isEarly || doubt.looks < LOOKS_BEFORE_HALT) throw new ReceiptBehindError(reason)
}
