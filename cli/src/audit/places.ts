import { Arrivals, type Run } from '../reconcile/arrivals.ts'
import { SequenceMap } from '../reconcile/sequence-map.ts'

/** The stored state of one wallet. */
export interface WalletPlace {
  wallet: number
  /** Sequences up to here are not checked: they were posted before the audit began. */
  floor: number
  last: number
  /** Gaps up to here have been counted as missing. */
  counted: number
  gaps: readonly Run[]
}

/** Which events of each wallet have been read, and which wallets are not stored yet. Usually two numbers per wallet. */
export class Places {
  readonly #floors = new SequenceMap()
  readonly #arrivals = new Arrivals(this.#floors)
  /** Only for wallets with missing events. */
  readonly #counted = new Map<number, number>()
  readonly #changed = new Set<number>()

  begin(wallet: number, floor: number): void {
    this.#floors.set(wallet, floor)
    this.#changed.add(wallet)
  }

  restore({ wallet, floor, last, counted, gaps }: WalletPlace): void {
    this.#floors.set(wallet, floor)
    this.#arrivals.restore(wallet, last, gaps)
    if (counted > 0) this.#counted.set(wallet, counted)
  }

  add(wallet: number, sequence: number): 'doubled' | 'late' | undefined {
    this.#changed.add(wallet)
    return this.#arrivals.add(wallet, sequence)
  }

  lastOf(wallet: number): number {
    return this.#arrivals.lastOf(wallet)
  }

  /** Wallets with gaps that have not been counted as missing. */
  *withGaps(): Generator<number> {
    for (const [wallet, runs] of this.#arrivals.gaps()) {
      if (runs.some(({ to }) => to > (this.#counted.get(wallet) ?? 0))) yield wallet
    }
  }

  /** Whether every event up to this sequence was read or counted as missing. */
  hasAll(wallet: number, limit: number): boolean {
    if (this.lastOf(wallet) < limit) return false
    const after = this.#counted.get(wallet) ?? 0
    return !(this.#arrivals.gaps().get(wallet) ?? []).some(({ from, to }) => to > after && from <= limit)
  }

  /** Returns the sequences of a wallet up to this one that have no event, each of them only once. */
  takeMissing(wallet: number, limit: number): Run[] {
    this.#arrivals.expect(wallet, limit)
    const after = this.#counted.get(wallet) ?? 0
    const runs = (this.#arrivals.gaps().get(wallet) ?? [])
      .map(({ from, to }) => ({ from: Math.max(from, after + 1), to: Math.min(to, limit) }))
      .filter(({ from, to }) => from <= to)
    if (runs.length > 0) {
      this.#counted.set(wallet, limit)
      this.#changed.add(wallet)
    }
    return runs
  }

  *changes(): Generator<WalletPlace> {
    for (const wallet of this.#changed) {
      yield {
        wallet,
        floor: this.#floors.get(wallet),
        last: this.lastOf(wallet),
        counted: this.#counted.get(wallet) ?? 0,
        gaps: this.#arrivals.gaps().get(wallet) ?? [],
      }
    }
  }

  stored(): void {
    this.#changed.clear()
  }
}
