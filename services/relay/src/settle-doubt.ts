import { traceFields } from '@streamledger/tracing'
import {
  type HeldLease,
  halt,
  isShown,
  type LaneDeps,
  LaneEndedError,
  type Position,
  publish,
  seeReceipt,
  writeReceipt,
} from './lane-step.ts'
import type { Lane } from './outbox.ts'
import { type Publisher, type Receipt, RecordsGoneError } from './publisher.ts'
import { judge, type Verdict } from './recovery.ts'

/** What a lane remembers from one recovery to the next. */
export interface Doubt {
  /** Since when Kafka has shown less than Postgres intended, by performance.now(). */
  behindSince: number | undefined
}

/**
 * Kafka shows less than it may know. After an unclean restart a broker answers for a group, without an error, before it
 * has loaded all of its offsets (seen with Apache Kafka 4.4.0: for half a second, receipts hundreds of batches old, or
 * none). Waiting loses nothing; halting, or publishing again, on such an answer would.
 */
class ReceiptBehindError extends Error {
  override name = 'ReceiptBehindError'
}

/** Where the open batch may be. */
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

/** Fences whoever wrote before, then settles what became of the stored batch. */
export async function recover(deps: LaneDeps, lease: HeldLease, doubt: Doubt): Promise<Position> {
  const { outbox, kafka, readBack } = deps
  const { partition, token } = lease
  const publisher = await kafka.openPublisher(partition)
  try {
    lease.progressed()
    // Only now: what was read before could be overtaken by the writer that has just been fenced.
    const lane = await outbox.readLane(partition, token)
    if (!lane) throw new LaneEndedError('the lease went to another replica')
    const sight = await readBack.until(partition, `partition ${partition}`, () => true)
    const verdict = judge(lane, { ...sight, end: await kafka.readEndOffset(partition) })
    lease.progressed()
    return await settle({ deps, lease, lane, doubt, publisher }, verdict).catch((error) => {
      if (error instanceof RecordsGoneError) return halt(deps, lease, lane.batchSeq, error.message)
      throw error
    })
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
      const position = positionAt(settling, verdict.offset)
      await writeReceipt(deps, lease, position)
      return position
    }
    case 'look_up':
      return lookUpBatch(settling, verdict)
    case 'settle':
      return settleBatch(settling, verdict)
    case 'halt':
      return haltUnlessBehind(settling, verdict)
  }
}

function positionAt({ lane, publisher }: Settling, nextOffset: number): Position {
  const { batchSeq, batch } = lane
  return { publisher, batchSeq, nextOffset, unconfirmed: batch !== undefined, sent: 0, shown: undefined }
}

/**
 * Goes on if the batch is where its receipt says. It may not be: its records hung, and somebody aborted them. That was this
 * relay, which then died before it had published them again, or an operator with kafka-transactions.sh.
 */
async function lookUpBatch(settling: Settling, { receipt, from }: InTopic): Promise<Position> {
  const { deps, lane } = settling
  const batchId = receipt.batchId
  const offset = await deps.kafka.findBatch(lane.partition, batchId, { from, to: receipt.offset })
  return offset === undefined ? settleBatch(settling, { receipt, from }) : positionAt(settling, receipt.offset)
}

/**
 * Ends whatever hangs of the open batch, then looks whether it is in the topic.
 *
 * A broker that skipped a mark (KAFKA-20734) leaves records in the log without an end, and the next COMMIT of the same
 * producer would make them visible: published again, a batch would be there twice. So an ABORT comes first. It ends them
 * because a transactional id keeps its producer id, and the log keeps one open transaction for each producer id, from its
 * first record to the next mark, whatever epochs lie between. If it does not end them after all (the producer id was
 * replaced, after 32,767 epochs or a week's rest; the transaction is somebody else's; this mark was skipped, too), the
 * last stable offset stays before the fence, and nothing is decided until it moves.
 *
 * What the ABORT may destroy is the open batch alone, whose rows are still in Postgres: every batch before it is readable,
 * `judge` has just seen to that. And once the partition has the fence, it refuses records of older epochs by itself.
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
  // No old one: the coordinator let this publisher begin when the marks of the last transaction were written, or left
  // out, and the group has acknowledged the fence's own offset after having applied all before it.
  const now = judge(lane, { ...sight, end: fence + 1 })
  if (now.kind === 'halt') return haltUnlessBehind(settling, now)
  // The batch would take its rows and a mark. Without room for it, there is nothing to look at.
  const hasRoom = fence >= from + batch.rows + 1
  const offset = hasRoom ? await deps.kafka.findBatch(partition, batch.batchId, { from, to: fence }) : undefined
  lease.progressed()
  if (offset === undefined) return publishAgain(settling, fence + 1)
  const found = { seq: lane.batchSeq, batchId: batch.batchId, offset: offset + batch.rows }
  if (!isShown(sight, found)) await completeReceipt(settling, found)
  return positionAt(settling, found.offset)
}

/**
 * Writes the receipt of a batch that is in the topic, and whose receipt is not in the group: the mark of its transaction
 * was left out there. It says only what was just seen. The batch's id is random, one record batch holds all of it, its
 * transaction is committed, and after the fence nothing can change that. It can't put a newer
 * receipt back: the one that was read after the fence is the newest, and it was of the batch before.
 */
async function completeReceipt({ deps, lease, publisher }: Settling, receipt: Receipt): Promise<void> {
  await publisher.writeReceipt(receipt)
  await seeReceipt(deps, lease.partition, receipt)
  deps.logger.warn({ partition: lease.partition, receipt }, 'open batch was in Kafka without its receipt, written')
}

/** Publishes the open batch a second time, after the topic itself has shown that the first time left nothing. */
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

/** @throws ReceiptBehindError until the doubt has lasted: then what Kafka shows is what it knows. */
function haltUnlessBehind(
  { deps, lease, lane, doubt }: Settling,
  { behind, reason }: Extract<Verdict, { kind: 'halt' }>,
): Promise<never> {
  const now = performance.now()
  doubt.behindSince ??= now
  if (behind && now - doubt.behindSince < deps.receiptPatienceMs) throw new ReceiptBehindError(reason)
  return halt(deps, lease, lane.batchSeq, reason)
}
