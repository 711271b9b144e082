import { renderQuantity, renderTable } from '../render-table.ts'
import type { Evidence } from './read-evidence.ts'

/** Renders the evidence about a partition as a table. */
export function renderEvidence(evidence: Evidence): string[] {
  const { lane, sight, from, batchIds, batchPublished, otherRows, otherPublished, lost } = evidence
  const { receipt, stable, end } = sight
  const batch = lane.batch_id === null ? 'none is open' : `${lane.batch_seq}, ${lane.batch_id}`
  const rows = [
    ['halted since', `${lane.halted_at}`],
    ['reason', `${lane.halted_reason}`],
    ['batch in Postgres', lane.batch_id === null ? `${lane.batch_seq} was the last, ${batch}` : batch],
    ['receipt in Kafka', describeReceipt(receipt)],
    ['confirmed up to', lane.next_offset === null ? 'nothing yet' : `offset ${lane.next_offset}`],
    ['topic read', `from offset ${from} to ${stable}${stable < end ? `; it ends at ${end}` : ''}`],
    ['rows of the batch', `${batchIds.length}, of which ${batchPublished} are in the topic`],
    ['other rows', `${otherRows}, of which ${otherPublished} are in the topic`],
    ['unknown events', `${renderQuantity(lost.length, 'event')} without a transaction in Postgres`],
  ]
  return [renderTable([`partition ${lane.partition}`, 'what is known'], rows)]
}

function describeReceipt(receipt: Evidence['sight']['receipt']): string {
  if (receipt === undefined) return 'none'
  if (typeof receipt === 'string') return `not written by a relay: ${receipt}`
  return `batch ${receipt.seq}, ${receipt.batchId}, up to offset ${receipt.offset}`
}
