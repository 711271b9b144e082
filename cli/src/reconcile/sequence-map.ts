const PAGE_SIZE = 4_096

/**
 * A number for each wallet, 0 by default. It takes 8 bytes per wallet, since ids are dense; a Map would take ten times as
 * much. These maps are the part of a comparison whose memory grows with the ledger.
 */
export class SequenceMap {
  readonly #pages = new Map<number, Float64Array>()

  get(id: number): number {
    return this.#pages.get(Math.floor(id / PAGE_SIZE))?.[id % PAGE_SIZE] ?? 0
  }

  set(id: number, value: number): void {
    const number = Math.floor(id / PAGE_SIZE)
    let page = this.#pages.get(number)
    if (!page) {
      page = new Float64Array(PAGE_SIZE)
      this.#pages.set(number, page)
    }
    page[id % PAGE_SIZE] = value
  }

  /** Ids whose number is not 0. */
  *keys(): Generator<number> {
    for (const [number, page] of this.#pages) {
      for (let index = 0; index < PAGE_SIZE; index += 1) if (page[index] !== 0) yield number * PAGE_SIZE + index
    }
  }
}
