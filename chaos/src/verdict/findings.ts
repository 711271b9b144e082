/** What a verdict looks for. All of it is zero, or the run has failed. */
export const VERDICT = {
  lost: 'transactions that are in no event',
  doubled: 'events of a transaction that has one already',
  out_of_order: "events after a later one of the same wallet's",
  foreign: 'events of no transaction',
  mismatched: 'events that say something else than their transaction',
  miscounted: 'difference between events and transactions, counted on their own',
  negative: 'negative balances',
  unsound: 'faults of the ledger against itself',
  gone: 'answers that were given, and the ledger does not know',
  differing: 'answers that were given, and the ledger has otherwise',
  unasked: 'records in the ledger, beside those that were answered',
  wrong_answers: 'answers that no client may get',
  unanswered: 'clients that waited in vain when all was up again',
  halted: 'halted partitions',
  unpublished: 'rows that stayed in the outbox when all was up again',
  exports_unfinished: 'exports that stayed unfinished when all was up again',
  exports_failed: 'exports that have failed',
  files_wrong: 'workbooks of the sample that do not hold what they should',
  self_exits: 'APIs, relays and engines that ended by themselves',
  broken_off: 'faults that something did not recover from, or checks that could not be made',
} as const

export type VerdictKind = keyof typeof VERDICT

/** Of each kind this many are told. */
const EXAMPLES_PER_KIND_MAX = 10

export interface Finding {
  kind: VerdictKind
  message: string
}

/** Counts what is wrong, and keeps the first few of each kind. */
export class Findings {
  readonly counts = Object.fromEntries(Object.keys(VERDICT).map((kind) => [kind, 0])) as Record<VerdictKind, number>
  readonly examples: Finding[] = []

  /** `count`: how many this one stands for. */
  add(kind: VerdictKind, message: string, count = 1): void {
    this.counts[kind] += count
    if (this.examples.filter((example) => example.kind === kind).length < EXAMPLES_PER_KIND_MAX) {
      this.examples.push({ kind, message })
    }
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }
}
