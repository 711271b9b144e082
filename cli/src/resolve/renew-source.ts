import { withTransaction } from '@streamledger/db'
import type { Pool } from 'pg'
import type { TopicRow } from '../read-topic-row.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'
import { NEXT_GENERATION } from '../topic/next-generation.ts'
import { nextSource } from './event-source.ts'

/**
 * Records lost events, and begins a new ce_source. An event is identified by its source and its id, and the ids and
 * sequences of lost events may be used again. Waiting rows get the new source too.
 */
export async function renewSource(pool: Pool, topic: TopicRow, orphans: readonly TopicRecord[]): Promise<string> {
  return withTransaction(pool, async (client) => {
    const { rows } = await client.query<{ timeline: number }>('select current_timeline() as timeline')
    const source = nextSource(topic, orphans, rows[0]?.timeline ?? 0)
    for (const orphan of orphans) {
      await client.query(
        `insert into orphaned_events (partition, "offset", key, payload, headers) values ($1, $2, $3, $4, $5)
         on conflict do nothing`,
        [orphan.partition, orphan.offset, orphan.key, orphan.value, JSON.stringify(orphan.headers)],
      )
    }
    await client.query('insert into event_sources (source) select event_source from topic')
    await client.query(`update topic set generation = ${NEXT_GENERATION}, event_source = $1`, [source])
    await client.query(
      `update outbox set xid = default,
              headers = (headers::jsonb || jsonb_build_object('ce_source', (select event_source from topic)))::json`,
    )
    return source
  })
}
