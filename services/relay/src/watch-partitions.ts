import { type Logger, OutageLog, sleep } from '@streamledger/runtime'
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

/**
 * Reports, until aborted, topic partitions that the database does not post to because they were added by other means.
 */
export async function watchPartitions(deps: WatchPartitions, signal: AbortSignal): Promise<void> {
  const outage = new OutageLog(deps.logger, 'the partitions can be counted again')
  let reported = 0
  while (!signal.aborted) {
    try {
      reported = await watchOnce(deps, reported)
      outage.ended()
    } catch (error) {
      outage.failed('could not count the partitions, trying again', error)
    }
    await sleep(deps.intervalMs, signal)
  }
}

/** Returns the number of unknown partitions, and logs an error when it differs from `reported`. */
async function watchOnce({ pool, kafka, logger, metrics }: WatchPartitions, reported: number): Promise<number> {
  const found = await kafka.countPartitions()
  const { rows } = await pool.query<{ name: string; partitions: number; paused: boolean }>('select * from topic')
  const [topic] = rows
  // Paused means that the topic is growing: Kafka has the new partitions before the database.
  if (!topic || topic.paused) return reported
  const unknown = Math.max(0, found - topic.partitions)
  metrics.unknownPartitions.set(unknown)
  if (unknown > 0 && unknown !== reported) {
    logger.error(
      { topic: topic.name, found, partitions: topic.partitions },
      'the topic has partitions that the database does not know: they get no events; see docs/runbook.md',
    )
  }
  return unknown
}
