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
  /** As many there shall be. */
  partitions: number
}

export interface GrowthLimits {
  /** How long posting may be paused, in ms. */
  pauseMsMax: number
  progress: Progress
  signal: AbortSignal
}

const POLL_MS = 50

/** Also what makes a second run go on where the first was killed: it is the same for the same growth. */
export const growthReason = (partitions: number): string => `the topic grows to ${partitions} partitions`

/** Why a growth can't begin; undefined: it can. */
export async function findObstacle({ pool, admin, topic, partitions }: Growth): Promise<string | undefined> {
  if (topic.paused && topic.paused_reason !== growthReason(partitions)) {
    return `posting is paused already (${topic.paused_reason ?? 'nobody said why'}): finish that first`
  }
  if (partitions < topic.partitions) {
    return `it has ${topic.partitions} partitions, and a topic never shrinks`
  }
  const state = await admin.readTopic(topic.name)
  if (!state) return 'Kafka has no such topic: is KAFKA_BROKERS right?'
  if (state.partitions > partitions) {
    return `Kafka has ${state.partitions} partitions already, added behind our back: grow to ${state.partitions}, or to more`
  }
  const { rows } = await pool.query<{ halted: number }>(
    'select count(*)::int as halted from relay_partitions where halted_at is not null',
  )
  const halted = rows[0]?.halted ?? 0
  if (halted > 0)
    return `${halted} of its partitions are halted, so the outbox would not become empty: resolve them first`
  return undefined
}

/**
 * Adds partitions while nothing is in the outbox and nobody posts: whatever a user's key is moved away from has been
 * published to its end before the first row goes to the new place. Each step may be the last one; a second run finishes.
 *
 * @throws CliError `incomplete` when the outbox did not become empty in time, with posting going on as before
 */
export async function growTopic(growth: Growth, limits: GrowthLimits): Promise<void> {
  const { pool, admin, topic, partitions } = growth
  // First what can fail for reasons of Kafka's: partitions that no row names do nothing.
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
    progress.report(() => `posting is paused; ${left.toLocaleString('en')} rows are still to be published`)
    if (signal.aborted) throw new CliError('incomplete', `Stopped: ${describeUndone(left)}`)
    if (performance.now() > deadline) {
      throw new CliError('incomplete', `Posting was paused for ${pauseMsMax / 1_000} s: ${describeUndone(left)} Look at \`streamledger outbox status\`, and try again when less is posted.`) // biome-ignore format: one line
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => {}) // an abort is seen at the next turn
  }
}

const describeUndone = (left: number): string =>
  `${left.toLocaleString('en')} rows were still in the outbox. Posting goes on as before, to as many partitions as before.`

/** The one commit: from here on, rows go to the new partitions, and relays take their lanes. */
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
    throw new CliError('incomplete', 'Somebody let posting go on meanwhile. Nothing was switched; try again.')
}
