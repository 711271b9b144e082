import { sleep } from '@streamledger/runtime'
import type { Kafka, Sight } from './publisher.ts'

/** Kafka does not show in time what it has acknowledged. */
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

/** Longer than a commit takes to become visible under light load, and shorter than the pause of a busy lane. */
const POLL_MS = 25
/** Pause after an error: the next look opens a connection. */
const AFTER_ERROR_MS = 200
/** Polling interval after hurry(); it doubles with each poll, up to POLL_MS. */
const HURRIED_MS = 3

/** What the polls need of Kafka. */
export type Looks = Pick<Kafka, 'leaderOf' | 'look'>

/** Polls Kafka until it shows what lanes wait for. One request serves all lanes whose partitions one broker leads. */
export class ReadBack {
  readonly #kafka: Looks
  readonly #timeoutMs: number
  readonly #polls = new Map<number, Poll>()

  constructor(kafka: Looks, timeoutMs: number) {
    this.#kafka = kafka
    this.#timeoutMs = timeoutMs
  }

  /**
   * Resolves with what Kafka shows of a partition, once `holds` accepts it. Only requests that begin after this call
   * count.
   *
   * @throws UnseenError if that does not happen in time.
   */
  until(partition: number, what: string, holds: (sight: Sight) => boolean): Promise<Sight> {
    const leader = this.#kafka.leaderOf(partition)
    const poll = this.#polls.get(leader) ?? new Poll(this.#kafka.look, this.#timeoutMs)
    this.#polls.set(leader, poll)
    return poll.until(partition, what, holds)
  }

  /** Polls sooner, because a lane has nothing else to do than to wait. */
  hurry(): void {
    for (const poll of this.#polls.values()) poll.hurry()
  }
}

/** Polls for the lanes of one leader: another leader, which may not answer, does not delay it. */
class Poll {
  readonly #look: Kafka['look']
  readonly #timeoutMs: number
  readonly #waiters = new Set<Waiter>()
  #polling = false
  #intervalMs = POLL_MS
  #hurried = new AbortController()

  constructor(look: Kafka['look'], timeoutMs: number) {
    this.#look = look
    this.#timeoutMs = timeoutMs
  }

  until(partition: number, what: string, holds: (sight: Sight) => boolean): Promise<Sight> {
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#timeoutMs
      this.#waiters.add({ partition, what, holds, deadline, resolve, reject })
      if (!this.#polling) void this.#poll()
    })
  }

  hurry(): void {
    this.#intervalMs = Math.min(this.#intervalMs, HURRIED_MS)
    this.#hurried.abort()
  }

  async #poll(): Promise<void> {
    this.#polling = true
    while (this.#waiters.size > 0) {
      await this.#pause()
      // Waiters added during the request wait for the next one: this answer may be older than their question.
      const asking = [...this.#waiters]
      const partitions = [...new Set(asking.map(({ partition }) => partition))]
      const looked = await this.#look(partitions).catch((error: unknown) => error)
      if (!(looked instanceof Map)) this.#intervalMs = AFTER_ERROR_MS
      for (const waiter of asking) this.#answer(waiter, looked)
    }
    this.#polling = false
    this.#intervalMs = POLL_MS
  }

  /** hurry() shortens this pause, down to HURRIED_MS. */
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
