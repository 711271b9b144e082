import { hostname, userInfo } from 'node:os'
import type { KafkaAccess, KafkaIdentity } from '@streamledger/kafka'
import type { Pool } from 'pg'
import type { Progress } from '../output.ts'
import { readTopicRow, type TopicRow } from '../read-topic-row.ts'
import { openTopicLog } from '../reconcile/open-topic-log.ts'
import type { TopicLog } from '../reconcile/topic-log.ts'
import { type LaneKafka, withLaneKafka } from './kafka-lanes.ts'

/** Open connections to Postgres and Kafka. */
export interface LaneSession {
  pool: Pool
  topic: TopicRow
  /** Which Kafka this is, and which topic. */
  identity: KafkaIdentity
  log: TopicLog
  lanes: LaneKafka
  onProgress: Progress['report']
}

export async function withLaneSession<T>(
  pool: Pool,
  { kafka, progress }: { kafka: KafkaAccess; progress: Progress },
  use: (session: LaneSession) => Promise<T>,
): Promise<T> {
  const topic = await readTopicRow(pool)
  const { rows } = await pool.query<{ id: string }>('select id from installation')
  const stream = { kafka, topic: topic.name, installationId: rows[0]?.id as string }
  const log = await openTopicLog(kafka, topic.name)
  try {
    const identity = await log.identity()
    const session = { pool, topic, identity, log, onProgress: progress.report }
    return await withLaneKafka(stream, (lanes) => use({ ...session, lanes }))
  } finally {
    await log.close().catch(() => {})
  }
}

/** The user that a resolution is recorded for. */
export const whoAmI = (): string => `${userInfo().username}@${hostname()}`
