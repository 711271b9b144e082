import type { Pool } from 'pg'
import { compareEvents } from '../compare-events.ts'
import { CliError } from '../errors.ts'
import { readOrphanedOffsets } from '../orphaned-events.ts'
import type { TopicRow } from '../read-topic-row.ts'
import type { TopicLog, TopicRecord } from '../reconcile/topic-log.ts'
import type { LaneSight } from './kafka-lanes.ts'
import type { StoredLane } from './read-lane.ts'

export interface EvidenceDeps {
  pool: Pool
  topic: TopicRow
  log: TopicLog
  onProgress: (line: () => string) => void
  /** Called with events that Postgres does not have, some at a time; returns those that remain lost. */
  onLost?: (records: TopicRecord[]) => Promise<TopicRecord[]>
}

/** More lost events than this mean a wrong database, not one accident. */
const LOST_MAX = 1_000_000

/** Everything that is known about a partition, from Postgres and Kafka. */
export interface Evidence {
  lane: StoredLane
  sight: LaneSight
  /** The offset at which the reading of the topic began: everything before it is certain. */
  from: number
  /** The number of offsets before that which are not certain, and which retention or an operator has removed. */
  removed: number
  /** Outbox ids of the rows of the open batch. */
  batchIds: number[]
  /** The number of rows of the open batch that a read_committed consumer sees in the topic. */
  batchPublished: number
  /** The number of rows of the partition outside of the batch. */
  otherRows: number
  otherPublished: number
  /** Outbox ids of all rows that are in the topic. */
  publishedIds: number[]
  /** A user with a row in the topic and an earlier row that is not: no outcome keeps the order. */
  overtaken: string | undefined
  /** Events in the topic that have no transaction in Postgres, or differ from it. */
  lost: TopicRecord[]
}

/** Reads the topic from the last confirmed offset, and compares the rows of the partition with it. */
export async function readEvidence(deps: EvidenceDeps, lane: StoredLane, sight: LaneSight): Promise<Evidence> {
  // A partition that ends before its confirmed offset was made anew: then all of it is read.
  const sure = lane.next_offset !== null && lane.next_offset <= sight.stable ? lane.next_offset : 0
  const { low } = await deps.log.range(lane.partition)
  const from = Math.max(sure, low)
  const inTopic = new Map<number, string>()
  const lost: TopicRecord[] = []
  for await (const { records, next } of deps.log.read(lane.partition, { from, to: sight.stable })) {
    const orphaned = await readOrphanedOffsets(deps.pool, records)
    const known = records.filter(({ offset }) => !orphaned.has(offset))
    const unknown: TopicRecord[] = []
    for (const { record, transaction, difference } of await compareEvents(deps.pool, deps.topic, known)) {
      if (difference || !transaction) unknown.push(record)
      else inTopic.set(transaction.id, record.value as string)
    }
    lost.push(...(deps.onLost ? await deps.onLost(unknown) : unknown))
    if (lost.length > LOST_MAX) {
      throw new CliError('incomplete', `Partition ${lane.partition} has more than ${LOST_MAX} events that Postgres does not have. Is this the right database?`) // biome-ignore format: one line
    }
    deps.onProgress(() => `partition ${lane.partition}: read up to offset ${next} of ${sight.stable}, ${lost.length} events that Postgres does not have`) // biome-ignore format: one line
  }
  return { lane, sight, from, removed: from - sure, lost, ...(await readRows(deps.pool, lane, inTopic)) }
}

interface Row {
  id: number
  key: string
  payload: string
  in_batch: boolean
}

const ROWS_PER_PAGE = 5_000
const PAGE = `
  select o.id, o.key, o.payload,
         p.batch_id is not null and o.id <= p.batch_last_id and pg_visible_in_snapshot(o.xid, p.batch_snapshot) as in_batch
    from relay_partitions p join outbox o on o.partition = p.partition
   where p.partition = $1 and o.id > $2 order by o.id limit $3`

async function readRows(pool: Pool, { partition }: StoredLane, inTopic: ReadonlyMap<number, string>) {
  const found = {
    batchIds: [] as number[],
    batchPublished: 0,
    otherRows: 0,
    otherPublished: 0,
    publishedIds: [] as number[],
  }
  /** Users with a row that is not in the topic. */
  const waiting = new Set<string>()
  let overtaken: string | undefined
  for (let after = 0, isLast = false; !isLast; ) {
    const { rows } = await pool.query<Row>(PAGE, [partition, after, ROWS_PER_PAGE])
    for (const { id, key, payload, in_batch } of rows) {
      const isPublished = inTopic.get(transactionIdOf(payload)) === payload
      if (in_batch) found.batchIds.push(id)
      else found.otherRows += 1
      if (!isPublished) waiting.add(key)
      else {
        found.publishedIds.push(id)
        if (in_batch) found.batchPublished += 1
        else found.otherPublished += 1
        if (waiting.has(key)) overtaken ??= key
      }
    }
    after = rows.at(-1)?.id ?? after
    isLast = rows.length < ROWS_PER_PAGE
  }
  return { ...found, overtaken }
}

function transactionIdOf(payload: string): number {
  try {
    return Number(JSON.parse(payload).transaction_id)
  } catch {
    return Number.NaN
  }
}
