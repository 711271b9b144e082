import type { Topic } from '@streamledger/db'
import { describeDifference, findDifference, pinnedOf } from '@streamledger/kafka'
import { type Logger, OutageLog, sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import type { RelayMetrics } from './metrics.ts'
import { type Kafka, OtherClusterError } from './publisher.ts'

export interface WatchPartitions {
  pool: Pool
  kafka: Pick<Kafka, 'countPartitions' | 'identify'>
  /** What is wrong with the topic's settings. */
  lookAtSettings(): Promise<readonly string[]>
  logger: Logger
  metrics: RelayMetrics
  intervalMs: number
}

/**
 * Reports, until aborted, topic partitions that the database does not post to because they were added by other means.
 * And settings with which a relay would not start: they may be altered while it runs.
 * Each look also says to the lanes which topic there is now: an idle lane would not notice that it was created again.
 *
 * @throws OtherClusterError if the brokers' addresses lead to another cluster than the one that has the events.
 */
export async function watchPartitions(deps: WatchPartitions, signal: AbortSignal): Promise<void> {
  const outage = new OutageLog(deps.logger, 'the topic can be looked at again')
  let reported = 0
  let faults = ''
  while (!signal.aborted) {
    try {
      reported = await watchOnce(deps, reported)
      faults = await watchSettings(deps, faults)
      outage.ended()
    } catch (error) {
      if (error instanceof OtherClusterError) throw error
      outage.failed('could not look at the topic, trying again', error)
    }
    await sleep(deps.intervalMs, signal)
  }
}

/** Returns the number of unknown partitions, and logs an error when it differs from `reported`. */
async function watchOnce({ pool, kafka, logger, metrics }: WatchPartitions, reported: number): Promise<number> {
  const met = await kafka.identify()
  const { rows } = await pool.query<Topic>('select * from topic')
  const [topic] = rows
  const pinned = pinnedOf(topic)
  if (pinned && findDifference(pinned, met) === 'cluster') throw new OtherClusterError(describeDifference(pinned, met))
  const found = await kafka.countPartitions()
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

/** Returns the faults as text, and logs each when the text differs from `reported`. */
async function watchSettings({ lookAtSettings, logger, metrics }: WatchPartitions, reported: string): Promise<string> {
  const faults = await lookAtSettings()
  metrics.unsafeSettings.set(faults.length)
  const text = faults.join('; ')
  if (text === reported) return text
  for (const fault of faults) logger.error({ fault }, 'a setting of the topic is unsafe; see docs/runbook.md')
  if (faults.length === 0) logger.info('the settings of the topic are safe again')
  return text
}
