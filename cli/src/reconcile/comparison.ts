import type { Pool } from 'pg'
import { compareEvents } from '../compare-events.ts'
import { FaultLog } from '../fault-log.ts'
import { readOrphanedOffsets } from '../orphaned-events.ts'
import type { TopicRow } from '../read-topic-row.ts'
import { Arrivals } from './arrivals.ts'
import { findMissing, type MissingRun } from './find-missing.ts'
import { judgeEvent } from './judge-event.ts'
import type { LedgerHorizon } from './ledger-horizon.ts'
import { missingFault, TOPIC_FAULTS, type TopicFault } from './topic-faults.ts'
import type { TopicLog, TopicRecord } from './topic-log.ts'

export interface ComparisonDeps {
  pool: Pool
  log: TopicLog
  topic: TopicRow
  onProgress: (line: () => string) => void
}

/** The part of a partition that was read. */
export interface Reading {
  partition: number
  from: number
  to: number
  events: number
}

/** Events that one query compares. */
const EVENTS_PER_QUERY = 5_000

/** Reads partitions one after the other, and compares each event with the ledger. */
export class Comparison {
  readonly faults = new FaultLog<TopicFault>(Object.keys(TOPIC_FAULTS) as TopicFault[])
  readonly readings: readonly Reading[]
  /** Events that are recorded as having no transaction in this ledger. */
  orphaned = 0
  readonly #deps: ComparisonDeps
  readonly #horizon: LedgerHorizon
  readonly #arrivals: Arrivals
  readonly #isRead: (partition: number) => boolean

  constructor(deps: ComparisonDeps, horizon: LedgerHorizon, starts: readonly { partition: number; from: number }[]) {
    this.#deps = deps
    this.#horizon = horizon
    this.#arrivals = new Arrivals(horizon.base)
    const partitions = new Set(starts.map(({ partition }) => partition))
    this.#isRead = (partition) => partitions.has(partition)
    this.readings = starts.map(({ partition, from }) => ({ partition, from, to: from, events: 0 }))
  }

  get events(): number {
    return this.readings.reduce((sum, { events }) => sum + events, 0)
  }

  /** Continues to read up to these offsets. */
  async readTo(ends: ReadonlyMap<number, number>): Promise<void> {
    const { log, onProgress } = this.#deps
    const endOf = ({ partition, to }: Reading): number => Math.max(to, ends.get(partition) ?? 0)
    const offsets = this.readings.reduce((sum, reading) => sum + endOf(reading) - reading.from, 0)
    for (const reading of this.readings) {
      const { partition, to: from } = reading
      for await (const { records, next } of log.read(partition, { from, to: endOf(reading) })) {
        const orphans = await readOrphanedOffsets(this.#deps.pool, records)
        this.orphaned += orphans.size
        await this.#judge(records.filter(({ offset }) => !orphans.has(offset)))
        reading.to = next
        reading.events += records.length
        onProgress(() => this.#describe(offsets))
      }
    }
  }

  hasMissing(): boolean {
    return !this.#findMissing().next().done
  }

  /** Call this once, after everything is read. */
  addMissing(): void {
    for (const { wallet_id, from, to } of this.#findMissing()) {
      this.faults.add(missingFault(wallet_id, { from, to }), to - from + 1)
    }
  }

  #findMissing(): Generator<MissingRun> {
    return findMissing(this.#horizon, this.#arrivals)
  }

  async #judge(records: readonly TopicRecord[]): Promise<void> {
    const { pool, topic } = this.#deps
    for (let at = 0; at < records.length; at += EVENTS_PER_QUERY) {
      const compared = await compareEvents(pool, topic, records.slice(at, at + EVENTS_PER_QUERY))
      for (const event of compared)
        judgeEvent(event, { arrivals: this.#arrivals, faults: this.faults, isRead: this.#isRead })
    }
  }

  #describe(offsets: number): string {
    const done = this.readings.reduce((sum, { from, to }) => sum + to - from, 0)
    const share = offsets === 0 ? 100 : Math.floor((100 * done) / offsets)
    return `${share}%: ${this.events.toLocaleString('en')} events compared, ${this.faults.total.toLocaleString('en')} faults`
  }
}
