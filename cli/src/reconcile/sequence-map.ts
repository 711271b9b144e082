const PAGE_SIZE = 4_096

/**
 * A number for each wallet: 8 bytes a wallet, since ids are dense. A Map would need ten times that, and these are what
 * the memory of a comparison grows with. What was never set is 0.
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
