import { Counter, Gauge, type Registry } from 'prom-client'
import { TOPIC_FAULTS, type TopicFault } from '../reconcile/topic-faults.ts'
import type { AuditState } from './audit-state.ts'

const RESET_REASONS = ['retention', 'topic_shorter'] as const
export type ResetReason = (typeof RESET_REASONS)[number]

/** Metrics of the audit. A fault is counted after it is stored, so that a restart does not count it twice. */
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
    this.failures = counter('failures_total', 'Rounds that failed because of Kafka or Postgres.')
    this.resets = new Counter({
      name: 'streamledger_audit_resets_total',
      help: 'How often the audit had to begin anew, which leaves events unchecked.',
      labelNames: ['reason'],
      registers: [registry],
    })
    // Prometheus sees an increase only if the series exists before the first reset.
    for (const reason of RESET_REASONS) this.resets.inc({ reason }, 0)
    this.#offset = gauge('next_offset', 'Next offset to read.')
    this.#behind = gauge('behind_offsets', 'Readable offsets that the audit has not read yet.')
    this.#judged = new Gauge({
      name: 'streamledger_audit_judged_timestamp_seconds',
      help: 'Everything posted before this time is in the topic, or was counted as missing.',
      registers: [registry],
    })
    this.#round = new Gauge({
      name: 'streamledger_audit_round_timestamp_seconds',
      help: 'Time at which the last complete round ended.',
      registers: [registry],
    })
    this.#round.remove() // no value before the first: 0 would be a round that ended long ago
  }

  /** Updates the metrics; called each time the state is stored. */
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
  }

  /** Not after a round that failed: an audit that only fails must not look like one that works. */
  roundEnded(): void {
    this.#round.set(Date.now() / 1_000)
  }
}
