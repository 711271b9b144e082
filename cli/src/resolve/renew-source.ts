import type { Pool } from 'pg'
import type { TopicRecord } from '../reconcile/topic-log.ts'

/**
 * Records events that this ledger will not get, and begins a new ce_source: an event's identity is its source and its id,
 * and the ids and sequences of what was lost may come a second time. Rows that wait get the new source, too.
 */
export async function renewSource(pool: Pool, orphans: readonly TopicRecord[]): Promise<string> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    for (const orphan of orphans) {
      await client.query(
        `insert into orphaned_events (partition, "offset", key, payload, headers) values ($1, $2, $3, $4, $5)
         on conflict do nothing`,
        [orphan.partition, orphan.offset, orphan.key, orphan.value, JSON.stringify(orphan.headers)],
      )
    }
    await client.query('insert into event_sources (source) select event_source from topic')
    const { rows } = await client.query<{ event_source: string }>(
      `update topic set generation = generation + 1, event_source =
         'urn:streamledger:' || (select id from installation) || ':' || (select count(*) + 1 from event_sources)
       returning event_source`,
    )
    await client.query(
      `update outbox set xid = default,
              headers = (headers::jsonb || jsonb_build_object('ce_source', (select event_source from topic)))::json`,
    )
    await client.query('commit')
    return (rows[0] as { event_source: string }).event_source
  } finally {
    await client.query('rollback').catch(() => {}) // of what was not committed
    client.release()
  }
}
