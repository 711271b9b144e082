import type { Logger } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { compareEvents } from '../compare-events.ts'
import { FaultLog } from '../fault-log.ts'
import { readOrphanedOffsets } from '../orphaned-events.ts'
import type { TopicRow } from '../read-topic-row.ts'
import { judgeEvent } from '../reconcile/judge-event.ts'
import { TOPIC_FAULTS, type TopicFault } from '../reconcile/topic-faults.ts'
import type { PartitionRange, TopicLog } from '../reconcile/topic-log.ts'
import type { AuditState } from './audit-state.ts'
import { findBeginning } from './find-beginning.ts'
import type { AuditMetrics, ResetReason } from './metrics.ts'
import { MissingSweep, type SweepOptions } from './missing-sweep.ts'

export interface AuditorDeps {
  pool: Pool
  log: TopicLog
  topic: TopicRow
  state: AuditState
  metrics: AuditMetrics
  logger: Logger
  sweep: SweepOptions
}

/** Per partition and round, so that a long partition does not delay the others. */
const EVENTS_PER_TURN_MAX = 20_000
const EVENTS_PER_QUERY = 5_000
/** A new leader may report an older end for a moment. A topic that was made anew stays shorter. */
const SHORT_PATIENCE_MS = 60_000

/** Follows the topic in rounds: reads new events, compares them, looks for missing ones, and stores the result. */
export class Auditor {
  readonly #deps: AuditorDeps
  readonly #sweep: MissingSweep
  /** Offsets that must be read before a transaction can count as missing. */
  #barrier: ReadonlyMap<number, number>
  #shortSince: number | undefined

  private constructor(deps: AuditorDeps, barrier: ReadonlyMap<number, number>) {
    this.#deps = deps
    this.#barrier = barrier
    const { pool, topic, state, sweep: options } = deps
    this.#sweep = new MissingSweep({ pool, topic, state, options }, state.judgedAt as Date)
  }

  /** Continues from the stored state, or begins with what was posted at `since` or later. */
  static async open(deps: AuditorDeps, since: Date | undefined): Promise<Auditor> {
    const { state, log } = deps
    if (state.positions.size === 0) await begin(deps, since)
    const ranges = await log.ranges()
    for (const { partition, low } of ranges) {
      if (!state.positions.has(partition)) state.positions.set(partition, low) // the topic grew
    }
    // If the topic grew, users have moved, and their earlier events are in partitions that now belong to other users.
    return new Auditor(deps, endsOf(ranges))
  }

  /** Returns whether there is more to read now. */
  async round(signal: AbortSignal): Promise<boolean> {
    const { state, metrics, log } = this.#deps
    const ranges = await log.ranges()
    const lost = this.#findLost(ranges)
    if (lost) throw forget(this.#deps, lost)
    const ends = endsOf(ranges)
    const faults = new FaultLog<TopicFault>(Object.keys(TOPIC_FAULTS) as TopicFault[])
    // What this broker shows may be old: another one is asked before anything is made of it.
    let isDoubtful = this.#shortSince !== undefined
    try {
      for (const [partition, end] of ends) await this.#readPartition(partition, end, faults, signal)
      if (!signal.aborted && this.#isPastBarrier() && (await this.#sweep.step(ends, faults))) isDoubtful = true
    } finally {
      // Also store what was found before Kafka or Postgres failed.
      this.#note(faults)
      state.save()
      metrics.tell(state, ends)
    }
    if (isDoubtful) await log.renew()
    metrics.roundEnded()
    return [...ends].some(([partition, end]) => (state.positions.get(partition) ?? 0) < end)
  }

  async #readPartition(partition: number, end: number, faults: FaultLog<TopicFault>, signal: AbortSignal) {
    const { pool, topic, log, state, metrics } = this.#deps
    const from = state.positions.get(partition) ?? 0
    if (from >= end) return
    let events = 0
    for await (const { records, next } of log.read(partition, { from, to: end })) {
      const orphans = await readOrphanedOffsets(pool, records)
      const judged = records.filter(({ offset }) => !orphans.has(offset))
      const compared = []
      for (let at = 0; at < judged.length; at += EVENTS_PER_QUERY) {
        compared.push(...(await compareEvents(pool, topic, judged.slice(at, at + EVENTS_PER_QUERY))))
      }
      // No await from here on: the findings and the position change together.
      for (const event of compared) judgeEvent(event, { arrivals: state.places, faults, isRead: () => true })
      state.positions.set(partition, next)
      metrics.events.inc(records.length)
      events += records.length
      if (events >= EVENTS_PER_TURN_MAX || signal.aborted) return
    }
  }

  #note({ counts, examples }: FaultLog<TopicFault>): void {
    const { state, logger } = this.#deps
    for (const [kind, count] of Object.entries(counts) as [TopicFault, number][]) state.counts[kind] += count
    for (const { message, ...fault } of examples) logger.error(fault, message)
    const more = Object.values(counts).reduce((sum, count) => sum + count, 0) - examples.length
    if (more > 0) logger.error({ counts }, 'more faults than are logged one by one')
    if (examples.length > 0) logger.flush() // each fault is logged only once
  }

  #isPastBarrier(): boolean {
    const { positions } = this.#deps.state
    if ([...this.#barrier].some(([partition, end]) => (positions.get(partition) ?? 0) < end)) return false
    this.#barrier = new Map()
    return true
  }

  /** Why the audit cannot continue from its position; undefined if it can. */
  #findLost(ranges: readonly PartitionRange[]): ResetReason | undefined {
    const { positions } = this.#deps.state
    const positionOf = ({ partition, low }: PartitionRange): number => positions.get(partition) ?? low
    if (ranges.some((range) => positionOf(range) < range.low)) return 'retention'
    if (ranges.every((range) => positionOf(range) <= range.end)) {
      this.#shortSince = undefined
      return undefined
    }
    this.#shortSince ??= performance.now()
    return performance.now() - this.#shortSince >= SHORT_PATIENCE_MS ? 'topic_shorter' : undefined
  }
}

type Forgetful = Pick<AuditorDeps, 'state' | 'metrics' | 'logger'>

export function forget({ state, metrics, logger }: Forgetful, reason: ResetReason): BeginAnewError {
  logger.error(
    { reason },
    'events left the topic before they were compared: the audit begins anew with what is posted from now on',
  )
  metrics.resets.inc({ reason })
  state.forget()
  return new BeginAnewError(reason)
}

/** Ends an auditor whose state was forgotten. The next auditor begins with what is posted from then on. */
export class BeginAnewError extends Error {
  override name = 'BeginAnewError'
}

async function begin({ pool, log, topic, state, logger }: AuditorDeps, since: Date | undefined): Promise<void> {
  const { rows } = await pool.query<{ now: Date }>('select clock_timestamp() as now')
  const { positions, floors } = await findBeginning({ pool, log, topic }, since)
  for (const wallet of floors.keys()) state.places.begin(wallet, floors.get(wallet))
  for (const [partition, offset] of positions) state.positions.set(partition, offset)
  state.judgedAt = since ?? (rows[0]?.now as Date)
  state.save()
  logger.info({ since: since ?? 'now', positions: Object.fromEntries(positions) }, 'the audit begins')
}

const endsOf = (ranges: readonly PartitionRange[]): ReadonlyMap<number, number> =>
  new Map(ranges.map(({ partition, end }) => [partition, end]))
