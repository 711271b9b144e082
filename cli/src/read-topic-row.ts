import type { Topic } from '@streamledger/db'
import type { Pool } from 'pg'
import { CliError } from './errors.ts'

/** What the database says of its topic. */
export async function readTopicRow(pool: Pool): Promise<Topic> {
  const { rows } = await pool.query<Topic>('select * from topic')
  const [topic] = rows
  if (topic) return topic
  throw new CliError(
    'unsuitable',
    'No service has started on this database yet: it knows no topic. Start the API or the relay first, or check DATABASE_URL.',
  )
}
