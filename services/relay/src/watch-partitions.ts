import { type Logger, sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import type { RelayMetrics } from './metrics.ts'
import type { Kafka } from './publisher.ts'

export interface WatchPartitions {
  pool: Pool
  kafka: Pick<Kafka, 'countPartitions'>
  logger: Logger
  metrics: RelayMetrics
  intervalMs: number
}

/** Tells, until aborted, when the topic has partitions that the database does not post to: somebody added them. */
export async function watchPartitions(deps: WatchPartitions, signal: AbortSignal): Promise<void> {
  let told = 0
  while (!signal.aborted) {
    try {
      told = await watchOnce(deps, told)
    } catch (error) {
      deps.logger.warn({ err: error }, 'could not count the partitions, trying again')
    }
    await sleep(deps.intervalMs, signal)
  }
}

/** Returns how many are unknown; an error is logged when that is another number than was told before. */
async function watchOnce({ pool, kafka, logger, metrics }: WatchPartitions, told: number): Promise<number> {
  const found = await kafka.countPartitions()
  const { rows } = await pool.query<{ name: string; partitions: number; paused: boolean }>('select * from topic')
  const [topic] = rows
  // While it grows, Kafka has them first.
  if (!topic || topic.paused) return told
  const unknown = Math.max(0, found - topic.partitions)
  metrics.unknownPartitions.set(unknown)
  if (unknown > 0 && unknown !== told) {
    logger.error(
      { topic: topic.name, found, partitions: topic.partitions },
      'the topic has partitions that the database does not know: they get no rows; see docs/runbook.md',
    )
  }
  return unknown
}
