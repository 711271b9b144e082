import { isUnavailable } from '@streamledger/db'
import { describeDifference, findDifference, pinnedOf } from '@streamledger/kafka'
import { backOffMs, type Logger, OutageLog, sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import { readTopicRow, type TopicRow } from '../read-topic-row.ts'
import { openTopicLog } from '../reconcile/open-topic-log.ts'
import type { TopicLog } from '../reconcile/topic-log.ts'
import type { AuditState } from './audit-state.ts'
import { Auditor, BeginAnewError, forget } from './auditor.ts'
import type { AuditConfig } from './config.ts'
import type { AuditMetrics } from './metrics.ts'
import { findWay, readAdoptions } from './read-adoptions.ts'

export interface AuditDeps {
  pool: Pool
  state: AuditState
  metrics: AuditMetrics
  logger: Logger
  config: Pick<AuditConfig, 'kafka' | 'pollMs' | 'sweep'>
  /** Called when it follows the topic. */
  onRunning: () => void
}

const BACK_OFF = { baseMs: 200, maxMs: 10_000 }

/** Follows the topic until the signal aborts. If Kafka or Postgres fails, it tries again. */
export async function runAudit(deps: AuditDeps, since: Date | undefined, signal: AbortSignal): Promise<void> {
  const outage = new OutageLog(deps.logger, 'the topic is followed again')
  let failures = 0
  /** After each failure, the next of KAFKA_BROKERS is asked first. */
  let turn = 0
  let from = since
  while (!signal.aborted) {
    try {
      const onRound = () => {
        failures = 0
        outage.ended()
      }
      await follow(deps, { since: from, turn }, signal, onRound)
    } catch (error) {
      if (error instanceof BeginAnewError) {
        from = undefined
        continue
      }
      if (!isPassing(error)) throw error
      failures += 1
      turn += 1
      deps.metrics.failures.inc()
      if (!signal.aborted) outage.failed('cannot follow the topic, trying again', error)
      await sleep(backOffMs(failures, BACK_OFF), signal)
    }
  }
}

/** Follows the topic with one connection to Kafka; returns when the topic's row has changed. */
async function follow(
  deps: AuditDeps,
  { since, turn }: { since: Date | undefined; turn: number },
  signal: AbortSignal,
  onRound: () => void,
) {
  const { pool, state, metrics, logger, config } = deps
  const topic = await readTopicRow(pool)
  const { rows } = await pool.query<{ id: string }>('select id from installation')
  state.claim(rows[0]?.id ?? '')
  if (topic.kafka_topic_id !== null) await claimTopic(deps, topic.kafka_topic_id)
  const log = await openTopicLog(config.kafka, topic.name, { signal, turn })
  try {
    await refuseOtherCluster(topic, log)
    const auditor = await Auditor.open({ pool, log, topic, state, metrics, logger, sweep: config.sweep }, since)
    while (!signal.aborted) {
      if (hasChanged(topic, await readTopicRow(pool))) return
      const hasMore = await auditor.round(signal)
      deps.onRunning()
      onRound()
      if (!hasMore) await sleep(config.pollMs, signal)
    }
  } finally {
    await log.close().catch(() => {})
  }
}

/** Also where the events are: what is posted from then on is missing in the Kafka that is read. */
const hasChanged = (before: TopicRow, now: TopicRow): boolean =>
  now.generation !== before.generation ||
  now.kafka_topic_id !== before.kafka_topic_id ||
  now.kafka_cluster_id !== before.kafka_cluster_id

/**
 * Begins anew in another topic, unless an operator has found the same events there. One that was created again may have
 * grown past the position since: its end does not show that it is another one.
 */
async function claimTopic({ pool, state, metrics, logger }: AuditDeps, id: string): Promise<void> {
  const way = findWay(await readAdoptions(pool), state.claimTopic(id), id)
  if (!way) throw forget({ state, metrics, logger }, 'topic_shorter')
  for (const adoption of way) logger.warn({ ...adoption }, 'the events are in another Kafka, the audit goes on there')
  if (way.length > 0) state.moveToTopic(id)
}

/** Nothing that is missing there would be a fault. */
async function refuseOtherCluster(topic: TopicRow, log: TopicLog): Promise<void> {
  const [pinned, met] = [pinnedOf(topic), await log.identity()]
  if (pinned && findDifference(pinned, met) === 'cluster')
    throw new CliError('unsuitable', describeDifference(pinned, met))
}

/** Kafka or Postgres may be down or not prepared yet; a read that they cut short is repeated. */
function isPassing(error: unknown): boolean {
  return isUnavailable(error) || (error instanceof CliError && PASSING.has(error.code))
}

const PASSING: ReadonlySet<string> = new Set<CliError['code']>(['unavailable', 'unsuitable', 'incomplete'])
