import type { Pool, PoolClient } from 'pg'
import { DatabaseError } from './errors.ts'
import type { Topic } from './schema.ts'
import { withTransaction } from './with-transaction.ts'

export interface ClaimInstallation {
  /** The uuid from the service's configuration. */
  installationId: string
  topic: string
  /** Initial number of partitions of the topic. Once written, the number in the database counts. */
  partitions: number
}

/**
 * Claims an empty database for this installation, with its topic and one relay lane per partition. Checks that any
 * other database belongs to it.
 *
 * @throws DatabaseError `installation_differs` for a database of another installation, or one that was created on
 * another Postgres cluster; `topic_differs`.
 */
export async function claimInstallation(pool: Pool, claim: ClaimInstallation): Promise<Topic> {
  return withTransaction(pool, async (client) => {
    await claimDatabase(client, claim.installationId)
    const topic = await claimTopic(client, claim)
    return topic
  })
}

async function claimDatabase(client: PoolClient, installationId: string): Promise<void> {
  await client.query(
    `insert into installation (id, system_identifier)
     select $1, system_identifier::text from pg_control_system() on conflict do nothing`,
    [installationId],
  )
  const { rows } = await client.query<{ id: string; made_on: string; now_on: string }>(
    `select id, i.system_identifier as made_on, c.system_identifier::text as now_on
       from installation i cross join pg_control_system() c`,
  )
  const [{ id, made_on, now_on }] = rows as [(typeof rows)[number]]
  if (id !== installationId) {
    throw new DatabaseError(
      'installation_differs',
      `It is ${id}, and INSTALLATION_ID says ${installationId}. If this database is the original, set INSTALLATION_ID=${id}.`,
    )
  }
  if (made_on !== now_on) {
    throw new DatabaseError(
      'installation_differs',
      `It was made on Postgres cluster ${made_on} and is now on ${now_on}: a reloaded dump must be resolved before it publishes, with "streamledger relay resolve --all", see docs/runbook.md.`,
    )
  }
}

async function claimTopic(client: PoolClient, claim: ClaimInstallation): Promise<Topic> {
  await client.query('insert into topic (name, partitions, event_source) values ($1, $2, $3) on conflict do nothing', [
    claim.topic,
    claim.partitions,
    `urn:streamledger:${claim.installationId}`,
  ])
  const { rows } = await client.query<Topic>('select * from topic')
  const [topic] = rows as [Topic]
  if (topic.name !== claim.topic) {
    throw new DatabaseError('topic_differs', `It is ${topic.name}, and KAFKA_TOPIC says ${claim.topic}.`)
  }
  await client.query(
    'insert into relay_partitions (partition) select generate_series(0, $1::int - 1) on conflict do nothing',
    [topic.partitions],
  )
  return topic
}
