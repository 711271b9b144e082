import { compareEvents } from '../compare-events.ts'
import { readOrphanedOffsets } from '../orphaned-events.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'
import type { LaneSession } from '../resolve/lane-session.ts'
import type { StoredLane } from '../resolve/read-lane.ts'
import type { PartitionEvidence } from './judge-partition.ts'

/** The last event is looked for in this many offsets before the end. More than a batch has, with its aborted attempts. */
const OFFSETS_READ = 20_000

export async function readPartition(session: LaneSession, lane: StoredLane): Promise<PartitionEvidence> {
  const { pool, topic, log, lanes } = session
  const { partition } = lane
  const sight = await lanes.look(partition)
  const { low } = await log.range(partition)
  let last: TopicRecord | undefined
  const from = Math.max(low, sight.stable - OFFSETS_READ)
  for await (const { records } of log.read(partition, { from, to: sight.stable })) last = records.at(-1) ?? last
  if (!last) return { lane, sight, lastEvent: 'none' }
  const [compared] = await compareEvents(pool, topic, [last])
  const isKnown = !compared?.difference || (await readOrphanedOffsets(pool, [last])).has(last.offset)
  return { lane, sight, lastEvent: isKnown ? 'known' : 'unknown' }
}
