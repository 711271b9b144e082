import type { Run } from './arrivals.ts'
import { SequenceMap } from './sequence-map.ts'

/** The transactions that wait in the outbox: per wallet one run, its last transactions, unless the outbox is damaged. */
export class WaitingRows {
  readonly #from = new SequenceMap()
  readonly #to = new SequenceMap()
  /** Earlier runs, for wallets with a gap in their rows. */
  readonly #earlier = new Map<number, Run[]>()

  /** Adds a row; the rows of a wallet must be added in the order of the outbox. */
  add(wallet: number, sequence: number): void {
    const last = this.#to.get(wallet)
    if (sequence !== last + 1 || last === 0) {
      if (last > 0) this.#keep(wallet, { from: this.#from.get(wallet), to: last })
      this.#from.set(wallet, sequence)
    }
    this.#to.set(wallet, sequence)
  }

  /** The parts of a run that do not wait in the outbox. */
  *without(wallet: number, run: Run): Generator<Run> {
    const last = { from: this.#from.get(wallet), to: this.#to.get(wallet) }
    const waiting = [...(this.#earlier.get(wallet) ?? []), last].sort((a, b) => a.from - b.from)
    let { from } = run
    for (const { from: start, to } of waiting.filter((other) => other.to >= run.from && other.from <= run.to)) {
      if (from < start) yield { from, to: start - 1 }
      from = Math.max(from, to + 1)
    }
    if (from <= run.to) yield { from, to: run.to }
  }

  #keep(wallet: number, run: Run): void {
    const runs = this.#earlier.get(wallet)
    if (runs) runs.push(run)
    else this.#earlier.set(wallet, [run])
  }
}
