import { hostname, userInfo } from 'node:os'
import type { KafkaAccess } from '@streamledger/kafka'
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
    return await withLaneKafka(stream, (lanes) => use({ pool, topic, log, lanes, onProgress: progress.report }))
  } finally {
    await log.close().catch(() => {})
  }
}

/** The user that a resolution is recorded for. */
export const whoAmI = (): string => `${userInfo().username}@${hostname()}`
