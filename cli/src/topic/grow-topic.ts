import { setTimeout as delay } from 'node:timers/promises'
import type { Topic } from '@streamledger/db'
import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import type { Progress } from '../output.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { NEXT_GENERATION } from './next-generation.ts'
import { pausePosting, unpausePosting } from './pause-posting.ts'

export interface Growth {
  pool: Pool
  admin: KafkaAdmin
  topic: Topic
  /** The new number of partitions. */
  partitions: number
}

export interface GrowthLimits {
  /** How long posting may be paused, in ms. */
  pauseMsMax: number
  progress: Progress
  signal: AbortSignal
}

const POLL_MS = 50

/** The same for the same growth, so that a second run continues where the first was killed. */
export const growthReason = (partitions: number): string => `the topic grows to ${partitions} partitions`

/** Why a growth cannot begin; undefined if it can. */
export async function findObstacle({ pool, admin, topic, partitions }: Growth): Promise<string | undefined> {
  if (topic.paused && topic.paused_reason !== growthReason(partitions)) {
    return `posting is paused already (${topic.paused_reason ?? 'no reason is recorded'}): finish that first`
  }
  if (partitions < topic.partitions) {
    return `it has ${topic.partitions} partitions, and a topic never shrinks`
  }
  const clusterId = await admin.readClusterId()
  if (topic.kafka_cluster_id !== null && clusterId !== topic.kafka_cluster_id) {
    return `Kafka is cluster ${clusterId}, and the events of this database are in cluster ${topic.kafka_cluster_id}: is KAFKA_BROKERS right?`
  }
  const state = await admin.readTopic(topic.name)
  if (!state) return 'Kafka has no such topic: is KAFKA_BROKERS right?'
  if (state.partitions > partitions) {
    return `Kafka has ${state.partitions} partitions already, added by another tool: grow to ${state.partitions}, or to more`
  }
  const { rows } = await pool.query<{ halted: number }>(
    'select count(*)::int as halted from relay_partitions where halted_at is not null',
  )
  const halted = rows[0]?.halted ?? 0
  if (halted > 0) return `${halted} of its partitions are halted, so the outbox cannot become empty: resolve them first`
  return undefined
}

/**
 * Adds partitions while the outbox is empty and posting is paused: the old partition of a user is published to its end
 * before the first row goes to the new one. A run may be killed after any step; a second run finishes.
 *
 * @throws CliError `incomplete` if the outbox did not become empty in time; posting then continues as before
 */
export async function growTopic(growth: Growth, limits: GrowthLimits): Promise<void> {
  const { pool, admin, topic, partitions } = growth
  // Kafka comes first, since it may refuse: partitions without rows do no harm.
  const state = await admin.readTopic(topic.name)
  if ((state?.partitions ?? 0) < partitions) await admin.addPartitions(topic.name, partitions)
  const reason = growthReason(partitions)
  await pausePosting(pool, reason)
  try {
    await waitUntilEmpty(pool, limits)
    await switchCount(pool, partitions)
  } catch (error) {
    await unpausePosting(pool, reason)
    throw error
  }
}

async function waitUntilEmpty(pool: Pool, { pauseMsMax, progress, signal }: GrowthLimits): Promise<void> {
  const deadline = performance.now() + pauseMsMax
  for (;;) {
    const { rows } = await pool.query<{ rows: number }>('select count(*)::int as rows from outbox')
    const left = rows[0]?.rows ?? 0
    if (left === 0) return
    progress.report(() => `posting is paused; ${left.toLocaleString('en')} rows are not published yet`)
    if (signal.aborted) throw new CliError('incomplete', `Stopped: ${describeUndone(left)}`)
    if (performance.now() > deadline) {
      throw new CliError('incomplete', `Posting was paused for ${pauseMsMax / 1_000} s: ${describeUndone(left)} Check \`streamledger outbox status\`, and try again when less is posted.`) // biome-ignore format: one line
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => {}) // an abort is seen at the next turn
  }
}

const describeUndone = (left: number): string =>
  `${left.toLocaleString('en')} rows were still in the outbox. Posting continues, to the same partitions as before.`

/** The commit that switches: from here on, rows go to the new partitions, and relays publish them. */
async function switchCount(pool: Pool, partitions: number): Promise<void> {
  const { rowCount } = await pool.query(
    `with switched as (
       update topic set partitions = $1, paused = false, paused_reason = null, generation = ${NEXT_GENERATION}
        where paused and paused_reason = $2 and not exists (select from outbox)
       returning partitions
     ), added as (
       insert into relay_partitions (partition)
       select generate_series(0, partitions - 1) from switched on conflict do nothing
     )
     select from switched`,
    [partitions, growthReason(partitions)],
  )
  if (rowCount !== 1)
    throw new CliError(
      'incomplete',
      'Another command has continued posting in the meantime. The number of partitions was not switched; try again.',
    )
}
