/** What a verdict counts. If any count is not zero, the run has failed. */
export const VERDICT = {
  lost: 'transactions without an event',
  doubled: 'further events of a transaction',
  out_of_order: 'events after a later event of the same wallet',
  foreign: 'events without a transaction',
  mismatched: 'events that differ from their transaction',
  miscounted: 'difference between the numbers of events and transactions',
  negative: 'negative balances',
  unsound: 'inconsistencies within the ledger',
  gone: 'answers that are not in the ledger',
  differing: 'answers that differ from the ledger',
  unasked: 'records in the ledger without an answer',
  wrong_answers: 'wrong answers to clients',
  unanswered: 'clients without a final answer after recovery',
  halted: 'halted partitions',
  unpublished: 'rows left in the outbox after recovery',
  exports_unfinished: 'exports still unfinished after recovery',
  exports_failed: 'failed exports',
  files_wrong: 'workbooks of the sample with wrong contents',
  self_exits: 'APIs, relays and engines that ended unexpectedly',
  broken_off: 'faults without recovery, or checks that failed to run',
} as const

export type VerdictKind = keyof typeof VERDICT

/** Maximum number of reported findings per kind. */
const EXAMPLES_PER_KIND_MAX = 10

export interface Finding {
  kind: VerdictKind
  message: string
}

/** Counts findings, and keeps the first few of each kind. */
export class Findings {
  readonly counts = Object.fromEntries(Object.keys(VERDICT).map((kind) => [kind, 0])) as Record<VerdictKind, number>
  readonly examples: Finding[] = []

  /** `count`: the number of faults that this finding represents. */
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
