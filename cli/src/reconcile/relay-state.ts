import { setTimeout as delay } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { PartitionRange, TopicLog } from './topic-log.ts'

interface RelayPartition {
  partition: number
  /** The offset after the last confirmed batch; null before the first one. */
  next_offset: number | null
  halted_reason: string | null
}

/** The broker writes a transaction's marker a moment after it has answered the commit. */
const SETTLE_TIMEOUT_MS = 15_000
const POLL_MS = 50
/** After this long without what is confirmed, and again each time, another broker is asked: this one may have an old state. */
const RENEW_MS = 2_000

/**
 * Reads the ends of the topic, after everything that the relay has confirmed is readable. If that takes too long, a note
 * says so.
 */
export async function readEnds(pool: Pool, log: TopicLog, partitions: ReadonlySet<number>) {
  const { rows } = await pool.query<RelayPartition>(
    'select partition, next_offset, halted_reason from relay_partitions order by partition',
  )
  const relayed = rows.filter(({ partition }) => partitions.has(partition))
  const deadline = performance.now() + SETTLE_TIMEOUT_MS
  let ranges = await log.ranges(partitions)
  let behind = findBehind(relayed, ranges)
  let renewAt = performance.now() + RENEW_MS
  while (behind.length > 0 && performance.now() < deadline) {
    await delay(POLL_MS)
    if (performance.now() > renewAt) {
      await log.renew()
      renewAt = performance.now() + RENEW_MS
    }
    ranges = await log.ranges(partitions)
    behind = findBehind(relayed, ranges)
  }
  const ends = new Map(ranges.map(({ partition, end }) => [partition, end]))
  const notes = [
    ...behind.map(
      ({ partition, next_offset }) =>
        `partition ${partition}: the relay has confirmed up to offset ${next_offset}, and a read_committed consumer can read only up to ${ends.get(partition)}`,
    ),
    ...relayed
      .filter(({ halted_reason }) => halted_reason !== null)
      .map(({ partition, halted_reason }) => `partition ${partition} is halted: ${halted_reason}`),
  ]
  return { ends, notes }
}

function findBehind(relayed: readonly RelayPartition[], ranges: readonly PartitionRange[]): RelayPartition[] {
  const ends = new Map(ranges.map(({ partition, end }) => [partition, end]))
  return relayed.filter(({ partition, next_offset }) => (next_offset ?? 0) > (ends.get(partition) ?? 0))
}
