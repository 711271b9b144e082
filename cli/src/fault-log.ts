/** One fault: a message for people, and the fields by which a program finds the place. */
export interface Fault<Kind extends string> {
  kind: Kind
  message: string
  [place: string]: unknown
}

/** Examples that are kept of each kind. The limit bounds the memory. */
const EXAMPLES_PER_KIND_MAX = 20

/** Counts all faults, and keeps the first few of each kind. */
export class FaultLog<Kind extends string> {
  readonly counts: Record<Kind, number>
  readonly examples: Fault<Kind>[] = []

  constructor(kinds: readonly Kind[]) {
    this.counts = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>
  }

  /** `count`: the number of faults that this one stands for. */
  add(fault: Fault<Kind>, count = 1): void {
    this.counts[fault.kind] += count
    if (this.examples.filter(({ kind }) => kind === fault.kind).length < EXAMPLES_PER_KIND_MAX)
      this.examples.push(fault)
  }

  get total(): number {
    return Object.values<number>(this.counts).reduce((sum, count) => sum + count, 0)
  }
}
