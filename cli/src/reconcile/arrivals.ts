import { CliError } from '../errors.ts'
import { SequenceMap } from './sequence-map.ts'

/** Sequences of a wallet without an event so far; both ends are included. */
export interface Run {
  from: number
  to: number
}

/** Highest number of runs in memory: some tens of megabytes, and far more than a healthy topic needs. */
const RUNS_MAX = 200_000

/** Which events of each wallet were read: the last sequence, and the gaps before it. */
export class Arrivals {
  readonly #base: SequenceMap
  readonly #last = new SequenceMap()
  readonly #gaps = new Map<number, Run[]>()
  #runs = 0

  /** `base`: sequences up to these are not checked. */
  constructor(base: SequenceMap) {
    this.#base = base
  }

  /** Adds one event. `doubled`: its sequence was read before. `late`: a later sequence was read before. */
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

  /** Records every sequence up to this one that was not read as a gap. */
  expect(wallet: number, sequence: number): void {
    const last = this.lastOf(wallet)
    if (sequence <= last) return
    this.#open(wallet, { from: last + 1, to: sequence })
    this.#last.set(wallet, sequence)
  }

  /** Restores the stored state of a wallet. */
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
    const text = `The topic has more than ${RUNS_MAX} gaps: too many to tell missing events from late ones. Compare one partition at a time with --partition, or a shorter range with --since.`
    throw new CliError('incomplete', text)
  }
}
