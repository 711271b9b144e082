import type { Topic } from '@streamledger/db'
import { describeDifference, findDifference, type KafkaIdentity, pinnedOf } from '@streamledger/kafka'
import type { Pool } from 'pg'
import { CliError } from './errors.ts'

export interface TopicRow extends Topic {
  /** The ce_source values of events from before the database was restored. */
  former_sources: string[]
}

/** Reads the database's row about the topic. */
export async function readTopicRow(pool: Pool): Promise<TopicRow> {
  const { rows } = await pool.query<TopicRow>(
    `select topic.*, array(select source from event_sources) as former_sources from topic`,
  )
  const [topic] = rows
  if (topic) return topic
  throw new CliError(
    'unsuitable',
    'No service has started on this database yet, so it has no topic. Start the API or the relay first, or check DATABASE_URL.',
  )
}

/** How this Kafka differs from the one that has the events; undefined: it is the same, or none is recorded yet. */
export function describeOther(topic: TopicRow, identity: KafkaIdentity): string | undefined {
  const pinned = pinnedOf(topic)
  return pinned && findDifference(pinned, identity) && describeDifference(pinned, identity)
}
