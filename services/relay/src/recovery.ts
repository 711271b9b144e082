import type { Lane } from './outbox.ts'
import type { Receipt } from './publisher.ts'

/** What a lane does about the batch that may or may not be in Kafka. */
export type Verdict =
  | { kind: 'go_on'; nextOffset: number }
  | { kind: 'publish_again'; from: number }
  | { kind: 'write_receipt' }
  /** `behind`: Kafka shows less than it may know. A coordinator that has just loaded its group answers so for a moment. */
  | { kind: 'halt'; reason: string; behind: boolean }

/** Holds what Postgres intended against what Kafka has the receipt of. Pure; every line has its row in docs/architecture.md. */
export function judge(lane: Lane, receipt: Receipt | string | undefined): Verdict {
  if (typeof receipt === 'string')
    return { kind: 'halt', reason: `the receipt cannot be read: ${receipt}`, behind: false }
  const { batch } = lane
  if (!receipt) {
    if (!batch) return { kind: 'write_receipt' }
    return { kind: 'halt', reason: `batch ${lane.batchSeq} is open and there is no receipt of any batch`, behind: true }
  }
  const published = { kind: 'go_on', nextOffset: receipt.offset } as const
  if (receipt.seq === lane.batchSeq) {
    if (!batch || batch.batchId === receipt.batchId) return published
    return {
      kind: 'halt',
      reason: `the receipt of batch ${receipt.seq} is for ${receipt.batchId}, and the open batch is ${batch.batchId}`,
      behind: false,
    }
  }
  if (batch && receipt.seq === lane.batchSeq - 1) {
    return { kind: 'publish_again', from: Math.min(lane.nextOffset ?? receipt.offset, receipt.offset) }
  }
  const reason = `the receipt is of batch ${receipt.seq}, and Postgres is at batch ${lane.batchSeq}`
  return { kind: 'halt', reason, behind: receipt.seq < lane.batchSeq }
}
