import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

const REMEMBERED_MAX = 1_000

/**
 * The results so far and the next offsets. Both are in one file that is replaced as a whole, like in one transaction of
 * your database: after a crash neither is ahead of the other.
 */
export class Progress {
  /** The next offset, by partition. */
  next: Record<string, number> = {}
  /** The last sequence, by wallet. */
  last: Record<string, number> = {}
  /** "wallet/sequence" of missing events. */
  missing: string[] = []
  events = 0
  faults = 0
  readonly #file: string

  constructor(file: string) {
    this.#file = file
    if (existsSync(file)) Object.assign(this, JSON.parse(readFileSync(file, 'utf8')))
  }

  /** Takes one event. Returns the fault in its order, if any. */
  take(partition: number, offset: number, event: { wallet_id: number; sequence: number }): string | undefined {
    if (offset < (this.next[partition] ?? 0)) return undefined // delivered again, already counted
    this.next[partition] = offset + 1
    this.events += 1
    const fault = this.#check(event.wallet_id, event.sequence)
    if (!fault) return undefined
    this.faults += 1
    return `${fault} (partition ${partition}, offset ${offset})`
  }

  #check(wallet: number, sequence: number): string | undefined {
    const last = this.last[wallet] ?? 0
    if (sequence > last) this.last[wallet] = sequence
    if (sequence === last + 1) return undefined
    if (sequence > last) {
      for (let left = last + 1; left < sequence && this.missing.length < REMEMBERED_MAX; left += 1) {
        this.missing.push(`${wallet}/${left}`)
      }
      return `gap: wallet ${wallet} went from ${last} to ${sequence}`
    }
    const late = this.missing.indexOf(`${wallet}/${sequence}`)
    if (late < 0) return `double: wallet ${wallet} had ${sequence} before`
    this.missing.splice(late, 1)
    return `out of order: wallet ${wallet} got ${sequence} after ${last}`
  }

  save(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this))
    renameSync(`${this.#file}.new`, this.#file)
  }
}
