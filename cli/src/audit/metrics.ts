import { Counter, Gauge, type Registry } from 'prom-client'
import { TOPIC_FAULTS, type TopicFault } from '../reconcile/topic-faults.ts'
import type { AuditState } from './audit-state.ts'

export const RESET_REASONS = ['retention', 'topic_shorter'] as const
export type ResetReason = (typeof RESET_REASONS)[number]

/** What the ops port tells of an audit. A fault is told once it is stored, so that it is counted once. */
export class AuditMetrics {
  readonly #faults: Readonly<Record<TopicFault, Counter>>
  readonly #told = Object.fromEntries(Object.keys(TOPIC_FAULTS).map((kind) => [kind, 0])) as Record<TopicFault, number>
  readonly events: Counter
  readonly failures: Counter
  readonly resets: Counter<'reason'>
  readonly #offset: Gauge<'partition'>
  readonly #behind: Gauge<'partition'>
  readonly #judged: Gauge
  readonly #round: Gauge

  constructor(registry: Registry) {
    const counter = (name: string, help: string) =>
      new Counter({ name: `streamledger_audit_${name}`, help, registers: [registry] })
    const gauge = (name: string, help: string) =>
      new Gauge({ name: `streamledger_audit_${name}`, help, registers: [registry], labelNames: ['partition'] })
    this.#faults = Object.fromEntries(
      Object.entries(TOPIC_FAULTS).map(([kind, meaning]) => [kind, counter(`${kind}_total`, `Found: ${meaning}.`)]),
    ) as Record<TopicFault, Counter>
    this.events = counter('events_total', 'Events compared with the ledger, since the start.')
    this.failures = counter('failures_total', 'Rounds that Kafka or Postgres did not let end.')
    this.resets = new Counter({
      name: 'streamledger_audit_resets_total',
      help: 'Times the audit had to begin anew, leaving events unchecked.',
      labelNames: ['reason'],
      registers: [registry],
    })
    // What goes from nothing to 1 has not risen, for Prometheus.
    for (const reason of RESET_REASONS) this.resets.inc({ reason }, 0)
    this.#offset = gauge('next_offset', 'The offset that is read next.')
    this.#behind = gauge('behind_offsets', 'Offsets that are readable and have not been read.')
    this.#judged = new Gauge({
      name: 'streamledger_audit_judged_timestamp_seconds',
      help: 'What was posted before this time is in the topic, or was counted as missing.',
      registers: [registry],
    })
    this.#round = new Gauge({
      name: 'streamledger_audit_round_timestamp_seconds',
      help: 'When Kafka and Postgres were last read to the end of a round.',
      registers: [registry],
    })
  }

  /** After each time that the state was stored. */
  tell({ counts, positions, judgedAt }: AuditState, ends: ReadonlyMap<number, number>): void {
    for (const [kind, counter] of Object.entries(this.#faults) as [TopicFault, Counter][]) {
      counter.inc(counts[kind] - this.#told[kind])
      this.#told[kind] = counts[kind]
    }
    for (const [partition, offset] of positions) {
      this.#offset.set({ partition }, offset)
      this.#behind.set({ partition }, Math.max(0, (ends.get(partition) ?? offset) - offset))
    }
    if (judgedAt) this.#judged.set(judgedAt.getTime() / 1_000)
    this.#round.set(Date.now() / 1_000)
  }
}
