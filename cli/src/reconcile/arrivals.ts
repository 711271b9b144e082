import { CliError } from '../errors.ts'
import { SequenceMap } from './sequence-map.ts'

/** Sequences of a wallet that no event has had yet, both ends included. */
export interface Run {
  from: number
  to: number
}

/** Runs that are remembered at once: some tens of megabytes, and far more than a topic in order ever needs. */
const RUNS_MAX = 200_000

/** What has arrived of each wallet: its last sequence, and what was left out on the way there. */
export class Arrivals {
  readonly #base: SequenceMap
  readonly #last = new SequenceMap()
  readonly #gaps = new Map<number, Run[]>()
  #runs = 0

  /** `base`: up to there nothing is asked for. */
  constructor(base: SequenceMap) {
    this.#base = base
  }

  /** Takes one event, and says whether its place was taken, or passed by, before. */
  add(wallet: number, sequence: number): 'doubled' | 'late' | undefined {
    const last = this.lastOf(wallet)
    if (sequence > last) {
      if (sequence > last + 1) this.#open(wallet, { from: last + 1, to: sequence - 1 })
      this.#last.set(wallet, sequence)
      return undefined
    }
    if (this.#fill(wallet, sequence)) return 'late'
    return sequence > this.#base.get(wallet) ? 'doubled' : undefined
  }

  /** Whatever has not come up to this sequence counts as left out from now on. */
  expect(wallet: number, sequence: number): void {
    const last = this.lastOf(wallet)
    if (sequence <= last) return
    this.#open(wallet, { from: last + 1, to: sequence })
    this.#last.set(wallet, sequence)
  }

  /** Takes over what was known of a wallet. */
  restore(wallet: number, last: number, gaps: readonly Run[]): void {
    this.#last.set(wallet, last)
    for (const gap of gaps) this.#open(wallet, gap)
  }

  lastOf(wallet: number): number {
    return Math.max(this.#last.get(wallet), this.#base.get(wallet))
  }

  gaps(): ReadonlyMap<number, readonly Run[]> {
    return this.#gaps
  }

  #open(wallet: number, run: Run): void {
    this.#remember(1)
    const runs = this.#gaps.get(wallet)
    if (runs) runs.push(run)
    else this.#gaps.set(wallet, [run])
  }

  #fill(wallet: number, sequence: number): boolean {
    const runs = this.#gaps.get(wallet)
    const index = runs?.findIndex(({ from, to }) => from <= sequence && sequence <= to) ?? -1
    if (!runs || index < 0) return false
    const { from, to } = runs[index] as Run
    const rest = [
      { from, to: sequence - 1 },
      { from: sequence + 1, to },
    ].filter((run) => run.from <= run.to)
    runs.splice(index, 1, ...rest)
    this.#remember(rest.length - 1)
    if (runs.length === 0) this.#gaps.delete(wallet)
    return true
  }

  #remember(runs: number): void {
    this.#runs += runs
    if (this.#runs <= RUNS_MAX) return
    const text = `The topic leaves out more than ${RUNS_MAX} runs of transactions: too many to tell missing from late. Compare one partition at a time with --partition, or a shorter range with --since.`
    throw new CliError('incomplete', text)
  }
}
