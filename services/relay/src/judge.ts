import { describeDifference, findDifference } from '@streamledger/kafka'
import type { Lane } from './outbox.ts'
import type { KafkaIdentity, Receipt, Sight } from './publisher.ts'

/** What a lane does about an open batch, which may or may not be in Kafka. */
export type Verdict =
  | { kind: 'go_on'; nextOffset: number }
  /** The receipt of the open batch is in Kafka. Check that the batch is, too. */
  | { kind: 'look_up'; receipt: Receipt; from: number }
  /**
   * It is unclear whether the open batch is in Kafka. End its records that may lack a marker, then search from `from`
   * on.
   */
  | { kind: 'settle'; receipt: Receipt; from: number }
  /** The open batch has no receipt, nor has any other. If that stays so, settle it by what is in the topic. */
  | { kind: 'receipt_gone'; from: number; reason: string }
  /** With `from`: first check that no record is there from that offset on, which Postgres would have forgotten. */
  | { kind: 'write_receipt'; offset: number; from?: number }
  /** `behind`: Kafka may show more soon. A coordinator that is loading its group shows old receipts for a moment. */
  | { kind: 'halt'; reason: string; behind: boolean }
  /** This is another cluster. The partition is not halted: it is well, in its own cluster. */
  | { kind: 'refuse'; reason: string }

/** What Kafka shows of a partition, with the offset after its last record. */
export interface Shown extends Sight {
  end: number
  /** Undefined: it was compared before. */
  identity?: KafkaIdentity | undefined
}

/** Compares what Postgres intended with what Kafka shows. Pure; each case has a row in docs/architecture.md. */
export function judge(lane: Lane, shown: Shown): Verdict {
  const { pinned } = lane
  const difference = shown.identity && findDifference(pinned, shown.identity)
  if (pinned && shown.identity && difference) {
    const reason = describeDifference(pinned, shown.identity)
    // A broker may know a new topic late.
    return difference === 'cluster' ? { kind: 'refuse', reason } : behind(reason)
  }
  if (lane.resolvedEnd !== undefined && !lane.batch) return judgeResolved(lane, lane.resolvedEnd, shown)
  const { receipt, stable, end } = shown
  if (typeof receipt === 'string') return halt(`the receipt cannot be read: ${receipt}`)
  const { batch, batchSeq } = lane
  const confirmed = lane.nextOffset ?? 0
  if (!receipt) {
    if (!batch && end < confirmed) {
      return behind(
        `there is no receipt, and the partition ends at ${end}, before the end of batch ${batchSeq} at ${confirmed}`,
      )
    }
    if (!batch && stable < confirmed) {
      return behind(`there is no receipt, and consumers read only to ${stable} of the ${confirmed} that are confirmed`)
    }
    if (!batch) {
      const isUsed = lane.nextOffset !== undefined && end > confirmed
      return { kind: 'write_receipt', offset: stable, ...(isUsed && { from: confirmed }) }
    }
    const reason = `batch ${batchSeq} is open and there is no receipt of any batch`
    if (lane.nextOffset === undefined) return behind(reason)
    // What is confirmed must be readable, as below. This is also false if the partition ends before it.
    if (stable < confirmed) return behind(`${reason}, and consumers read only to ${stable} of ${confirmed}`)
    return { kind: 'receipt_gone', from: confirmed, reason }
  }
  if (receipt.seq === batchSeq && batch && batch.batchId !== receipt.batchId) {
    return halt(`the receipt of batch ${batchSeq} is for ${receipt.batchId}, and the open batch is ${batch.batchId}`)
  }
  const isOfLast = receipt.seq === batchSeq
  const isOfOneBefore = batch !== undefined && receipt.seq === batchSeq - 1
  if (!isOfLast && !isOfOneBefore) {
    const reason = `the receipt is of batch ${receipt.seq}, and Postgres is at batch ${batchSeq}`
    return receipt.seq < batchSeq ? behind(reason) : halt(reason)
  }
  // A new leader may show an older end for a moment.
  if (end < receipt.offset) {
    return behind(`the partition ends at ${end}, before the end of batch ${receipt.seq} at ${receipt.offset}`)
  }
  const begin = batch && isOfLast ? receipt.offset - batch.rows : receipt.offset
  if (begin < confirmed) {
    return behind(
      `the receipt of batch ${receipt.seq} is at offset ${receipt.offset}, and the batches up to offset ${confirmed} were confirmed before it`,
    )
  }
  const isReadable = stable >= receipt.offset
  if (batch && isOfLast) {
    const from = Math.min(lane.nextOffset ?? receipt.offset, receipt.offset - batch.rows)
    return { kind: isReadable ? 'look_up' : 'settle', receipt, from }
  }
  if (!isReadable) {
    // The rows of that batch are deleted, so its records must not be aborted: they could not be published again.
    return behind(`batch ${receipt.seq} is confirmed, and consumers read only to ${stable} of its ${receipt.offset}`)
  }
  if (!batch) return { kind: 'go_on', nextOffset: receipt.offset }
  return { kind: 'settle', receipt, from: Math.min(lane.nextOffset ?? receipt.offset, receipt.offset) }
}

/**
 * An operator resolved the partition, under a batch number that no receipt has yet. The next step is to write the
 * receipt with that number; other receipts in the group are older. The decision only holds if the partition has not
 * grown since.
 */
function judgeResolved({ batchSeq }: Lane, resolvedEnd: number, { receipt, stable, end }: Shown): Verdict {
  if (typeof receipt === 'object' && receipt.seq > batchSeq) {
    return halt(`the receipt is of batch ${receipt.seq}, and the partition was resolved as batch ${batchSeq}`)
  }
  if (end > resolvedEnd) {
    return halt(`the partition was resolved up to ${resolvedEnd}, and ends at ${end}: another producer writes to it`)
  }
  if (stable < resolvedEnd) {
    return behind(`the partition was resolved up to ${resolvedEnd}, and consumers read only to ${stable}`)
  }
  return { kind: 'write_receipt', offset: resolvedEnd }
}

function behind(reason: string): Verdict {
  return { kind: 'halt', reason, behind: true }
}

function halt(reason: string): Verdict {
  return { kind: 'halt', reason, behind: false }
}
