import { sql } from 'kysely'
import { DatabaseError } from './errors.ts'
import type { Db, Topic } from './schema.ts'

export interface ClaimInstallation {
  /** The uuid from the service's configuration. */
  installationId: string
  topic: string
  /** How many partitions the topic starts with; once written, the database's own count holds. */
  partitions: number
}

/**
 * Makes an empty database this installation's, with its topic and one relay lane a partition; holds any other to it.
 *
 * @throws DatabaseError `installation_differs` for a database that belongs to another configuration, or whose Postgres
 * cluster is not the one it was made on; `topic_differs`.
 */
export async function claimInstallation(db: Db, claim: ClaimInstallation): Promise<Topic> {
  const { rows } = await sql<{ system_identifier: string }>`
    select system_identifier::text from pg_control_system()`.execute(db)
  const systemIdentifier = rows[0]?.system_identifier ?? ''
  return db.transaction().execute(async (trx) => {
    await trx
      .insertInto('installation')
      .values({ id: claim.installationId, system_identifier: systemIdentifier })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const installation = await trx.selectFrom('installation').selectAll().executeTakeFirstOrThrow()
    if (installation.id !== claim.installationId) {
      throw new DatabaseError(
        'installation_differs',
        `It is ${installation.id}, and INSTALLATION_ID says ${claim.installationId}. If this database is the original, set INSTALLATION_ID=${installation.id}.`,
      )
    }
    if (installation.system_identifier !== systemIdentifier) {
      throw new DatabaseError(
        'installation_differs',
        `It was made on Postgres cluster ${installation.system_identifier} and is now on ${systemIdentifier}: a reloaded dump must be resolved before it publishes, with "streamledger relay resolve --all", see docs/runbook.md.`,
      )
    }
    await trx
      .insertInto('topic')
      .values({
        name: claim.topic,
        partitions: claim.partitions,
        event_source: `urn:streamledger:${claim.installationId}`,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const topic = await trx.selectFrom('topic').selectAll().executeTakeFirstOrThrow()
    if (topic.name !== claim.topic) {
      throw new DatabaseError('topic_differs', `It is ${topic.name}, and KAFKA_TOPIC says ${claim.topic}.`)
    }
    await sql`
      insert into relay_partitions (partition)
      select generate_series(0, ${topic.partitions}::int - 1)
      on conflict do nothing`.execute(trx)
    return topic
  })
}
