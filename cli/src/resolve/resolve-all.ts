import type { KafkaIdentity } from '@streamledger/kafka'
import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'
import { pausePosting, unpausePosting } from '../topic/pause-posting.ts'
import { findContradictions, type Outcome, outcomeOf } from './judge-evidence.ts'
import type { LaneSession } from './lane-session.ts'
import { putBack } from './put-back.ts'
import { raiseIdentities } from './raise-identities.ts'
import { type Evidence, readEvidence } from './read-evidence.ts'
import { readLanes } from './read-lane.ts'
import { renewSource } from './renew-source.ts'
import { resolveLane } from './resolve-lane.ts'

export const LOST = ['put-back', 'leave'] as const
type Lost = (typeof LOST)[number]

export interface ResolveAll {
  lost: Lost | undefined
  /** Begin a new source even if no event in the topic requires it: consumers may know events that the topic has lost. */
  newSource: boolean
  reason: string
  by: string
  force: boolean
  /** Called before posting is paused. After an error it stays paused, and the partitions stay halted. */
  onPause(): void
}

export interface AllResolved {
  lanes: { partition: number; outcome: Outcome; rows_in_topic: number }[]
  /** The number of transactions that were put back into the ledger. */
  putBack: number
  /** The number of events that were recorded as having no transaction. */
  orphaned: number
  /** Undefined if the source has not changed. */
  eventSource: string | undefined
}

/** The same for every run, so that a second run continues where the first was killed. */
const RESOLVE_REASON = 'the event stream is being resolved'

/** Reads what a run would find. It changes nothing and stops nothing. */
export async function lookAtAll(session: LaneSession): Promise<Evidence[]> {
  const found: Evidence[] = []
  for (const lane of await readLanes(session.pool)) {
    found.push(await readEvidence(session, lane, await session.lanes.look(lane.partition)))
  }
  return found
}

/**
 * Brings Postgres up to the state of the topic while posting and publishing are stopped. A run may be killed after any step:
 * posting stays paused then, and a second run finishes.
 */
export async function resolveAll(session: LaneSession, asked: ResolveAll): Promise<AllResolved> {
  const { pool } = session
  // A partition without a leader, or a Kafka that refuses, would stop the run after posting is paused.
  for (const { partition } of await readLanes(pool)) await session.lanes.look(partition)
  asked.onPause()
  await pausePosting(pool, RESOLVE_REASON)
  await stopLanes(pool)
  const { found, putBackCount } = await bringUp(session, asked)
  const orphans = found.flatMap(({ lost }) => lost)
  refuseContradicted(found, asked)
  const eventSource =
    orphans.length > 0 || asked.newSource ? await renewSource(pool, session.topic, orphans) : undefined
  await acceptKafka(pool, session.identity)
  const lanes = []
  for (const evidence of found) {
    const outcome = outcomeOf(evidence)
    const overruled = contradictionsOf(evidence)
    await resolveLane(pool, evidence, { outcome, reason: asked.reason, by: asked.by, overruled })
    const { partition } = evidence.lane
    lanes.push({ partition, outcome, rows_in_topic: evidence.publishedIds.length })
  }
  await acceptCluster(pool)
  await unpausePosting(pool, RESOLVE_REASON)
  return { lanes, putBack: putBackCount, orphaned: orphans.length, eventSource }
}

/** Also stops partitions that run normally: the relay that holds one loses its lease, and finds the partition halted. */
async function stopLanes(pool: Pool): Promise<void> {
  await pool.query(
    `update relay_partitions set halted_at = now(), halted_reason = $1,
            lease_owner = null, lease_token = null, lease_expires_at = null
      where halted_at is null`,
    [RESOLVE_REASON],
  )
}

async function bringUp(session: LaneSession, { lost: whatToDo }: ResolveAll) {
  const { pool, topic, lanes } = session
  let putBackCount = 0
  const onLost = async (records: TopicRecord[]): Promise<TopicRecord[]> => {
    if (records.length > 0 && !whatToDo) {
      throw new CliError('usage', 'In the meantime an event arrived whose transaction Postgres does not have. Posting stays paused; run the command again with --lost.') // biome-ignore format: one line
    }
    await raiseIdentities(pool, topic, records)
    const left = whatToDo === 'put-back' ? await putBack(pool, topic, records) : records
    putBackCount += records.length - left.length
    return left
  }
  const found: Evidence[] = []
  for (const lane of await readLanes(pool)) {
    await lanes.fence(lane.partition)
    found.push(await readEvidence({ ...session, onLost }, lane, await lanes.look(lane.partition)))
  }
  return { found, putBackCount }
}

/** Without the lost events, which are handled by now. */
const contradictionsOf = (evidence: Evidence): string[] =>
  findContradictions({ ...evidence, lost: [] }, outcomeOf(evidence))

function refuseContradicted(found: readonly Evidence[], { force }: ResolveAll): void {
  const against = found.flatMap((evidence) =>
    contradictionsOf(evidence).map((one) => `partition ${evidence.lane.partition}: ${one}`),
  )
  if (against.length === 0 || force) return
  throw new CliError('unsuitable', `${against.join('; ')}. Posting stays paused and the partitions stay halted. Correct this, or add --force, and run the command again.`) // biome-ignore format: one line
}

/** Accepts the Kafka whose topic was read. Before the first partition is resolved: a relay takes it up at once. */
async function acceptKafka(pool: Pool, { clusterId, topicId }: KafkaIdentity): Promise<void> {
  await pool.query('update topic set kafka_cluster_id = $1, kafka_topic_id = $2', [clusterId, topicId])
}

/** Accepts the Postgres cluster that a dump was loaded into. */
async function acceptCluster(pool: Pool): Promise<void> {
  await pool.query(
    'update installation set system_identifier = (select system_identifier::text from pg_control_system())',
  )
}
