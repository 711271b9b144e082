import type { Topic } from '@streamledger/db'
import type { Pool } from 'pg'
import { CliError } from './errors.ts'

export interface TopicRow extends Topic {
  /** ce_source of events from before the database was restored. */
  former_sources: string[]
}

/** What the database says of its topic. */
export async function readTopicRow(pool: Pool): Promise<TopicRow> {
  const { rows } = await pool.query<TopicRow>(
    `select topic.*, array(select source from event_sources) as former_sources from topic`,
  )
  const [topic] = rows
  if (topic) return topic
  throw new CliError(
    'unsuitable',
    'No service has started on this database yet: it knows no topic. Start the API or the relay first, or check DATABASE_URL.',
  )
}
