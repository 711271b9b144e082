import type { LaneSight } from '../resolve/kafka-lanes.ts'
import type { StoredLane } from '../resolve/read-lane.ts'

/** What a Kafka shows of a partition, beside what Postgres expects there. */
export interface PartitionEvidence {
  lane: StoredLane
  sight: LaneSight
  /** The last event in the partition, compared with Postgres. `none`: the end of the partition holds no event. */
  lastEvent: 'known' | 'unknown' | 'none'
}

/** Why the relay could not go on with this partition as it is; empty if it can. */
export function findObjections({ lane, sight, lastEvent }: PartitionEvidence): string[] {
  const { receipt, stable, end } = sight
  const confirmed = lane.next_offset ?? 0
  const objections: string[] = []
  if (end < confirmed) objections.push(`it ends at offset ${end}, and events up to ${confirmed} were confirmed`)
  else if (stable < confirmed) {
    objections.push(`consumers can read only up to offset ${stable}, and events up to ${confirmed} were confirmed`)
  }
  objections.push(...objectToReceipt(lane, receipt))
  if (lastEvent === 'unknown') objections.push('its last event belongs to no transaction in Postgres')
  return objections
}

function objectToReceipt({ batch_seq, batch_id }: StoredLane, receipt: LaneSight['receipt']): string[] {
  if (typeof receipt === 'string') return [`its receipt cannot be read: ${receipt}`]
  if (!receipt) return batch_id === null ? [] : [`batch ${batch_seq} is open, and there is no receipt of any batch`]
  const isOfLast = receipt.seq === batch_seq && (batch_id === null || receipt.batchId === batch_id)
  const isOfOneBefore = batch_id !== null && receipt.seq === batch_seq - 1
  if (isOfLast || isOfOneBefore) return []
  return [`its receipt is of batch ${receipt.seq}, and Postgres is at batch ${batch_seq}`]
}
