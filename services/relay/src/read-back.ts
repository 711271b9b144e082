import { sleep } from '@streamledger/runtime'
import type { Sight } from './publisher.ts'

/** Kafka does not show what it has acknowledged. */
export class UnseenError extends Error {
  override name = 'UnseenError'
}

interface Waiter {
  partition: number
  what: string
  holds(sight: Sight): boolean
  deadline: number
  resolve(sight: Sight): void
  reject(error: UnseenError): void
}

/** Longer than a commit takes to become visible under light load, and shorter than a busy lane's linger. */
const POLL_MS = 25
/** How soon after the last look a lane that has rows in hand gets another; twice as long after each that shows nothing. */
const HURRIED_MS = 3

/** Looks at Kafka until it shows what lanes wait for: one look serves all of them. */
export class ReadBack {
  readonly #look: () => Promise<Map<number, Sight>>
  readonly #timeoutMs: number
  readonly #waiters = new Set<Waiter>()
  #polling = false
  #intervalMs = POLL_MS
  #hurried = new AbortController()

  constructor(look: () => Promise<Map<number, Sight>>, timeoutMs: number) {
    this.#look = look
    this.#timeoutMs = timeoutMs
  }

  /**
   * What Kafka shows of a partition as soon as this holds of it, by a look that began after the question.
   *
   * @throws UnseenError when it does not hold in time.
   */
  until(partition: number, what: string, holds: (sight: Sight) => boolean): Promise<Sight> {
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#timeoutMs
      this.#waiters.add({ partition, what, holds, deadline, resolve, reject })
      if (!this.#polling) void this.#poll()
    })
  }

  /** Somebody waits who has nothing else to do: the next looks come soon. */
  hurry(): void {
    this.#intervalMs = Math.min(this.#intervalMs, HURRIED_MS)
    this.#hurried.abort()
  }

  async #poll(): Promise<void> {
    this.#polling = true
    while (this.#waiters.size > 0) {
      await this.#pause()
      // Who comes while a look is under way waits for the next one: this one may be older than the question.
      const asking = [...this.#waiters]
      const looked = await this.#look().catch((error: unknown) => error)
      for (const waiter of asking) this.#answer(waiter, looked)
    }
    this.#polling = false
    this.#intervalMs = POLL_MS
  }

  /** Whoever hurries while this lasts cuts it short, but for the least time between two looks. */
  async #pause(): Promise<void> {
    const startedAt = performance.now()
    this.#hurried = new AbortController()
    await sleep(this.#intervalMs, this.#hurried.signal)
    const leftMs = this.#intervalMs - (performance.now() - startedAt)
    if (leftMs > 0) await sleep(leftMs)
    this.#intervalMs = Math.min(POLL_MS, 2 * this.#intervalMs)
  }

  #answer(waiter: Waiter, looked: Map<number, Sight> | unknown): void {
    const { partition, what, holds, deadline, resolve, reject } = waiter
    const sight = looked instanceof Map ? (looked.get(partition) as Sight | undefined) : undefined
    if (sight && holds(sight)) {
      this.#waiters.delete(waiter)
      resolve(sight)
    } else if (performance.now() > deadline) {
      this.#waiters.delete(waiter)
      const shown = sight ? `it shows ${JSON.stringify(sight)}` : 'it does not answer'
      const cause = looked instanceof Map ? undefined : looked
      reject(new UnseenError(`Kafka does not show ${what} within ${this.#timeoutMs} ms: ${shown}`, { cause }))
    }
  }
}
