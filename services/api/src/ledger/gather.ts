import { busy } from '../errors.ts'
import { type Deadline, inTime, type Waiter } from '../in-time.ts'

export interface GatherBounds {
  /** Maximum queries under way at once. */
  queriesMax: number
  /** Maximum keys per query. */
  keysMax: number
  /** Maximum unanswered look-ups; one more is refused at once. */
  waitingMax: number
  /** How long a look-up may take, including the query. It may wait for half of that. */
  timeoutMs: number
}

export type ReadOptions = Pick<GatherBounds, 'timeoutMs'>

/** Those who look for one key. */
type Waiters<Value> = Set<Waiter<Value | undefined>>

/**
 * Answers many single look-ups with few queries: look-ups that arrive while queries are under way share the next one. A
 * lone look-up does not wait. A query begins after every look-up that it answers, so a client that has seen a commit
 * also sees it here.
 *
 * @throws ApiError `busy` from a look-up that finds the queue full, or that is not answered in time
 */
export function gather<Key, Value>(load: (keys: Key[]) => Promise<Map<Key, Value>>, bounds: GatherBounds) {
  const deadline: Deadline = { timeoutMs: bounds.timeoutMs, late: () => busy }
  let waiting = new Map<Key, Waiters<Value>>()
  let lookUps = 0
  let queries = 0

  function pump(): void {
    while (queries < bounds.queriesMax && waiting.size > 0) {
      const batch = take()
      for (const waiters of batch.values()) for (const waiter of waiters) waiter.begin()
      queries += 1
      void answer(batch)
    }
  }

  function take(): Map<Key, Waiters<Value>> {
    const all = waiting
    waiting = new Map()
    if (all.size <= bounds.keysMax) return all
    const entries = [...all]
    waiting = new Map(entries.slice(bounds.keysMax))
    return new Map(entries.slice(0, bounds.keysMax))
  }

  async function answer(batch: Map<Key, Waiters<Value>>): Promise<void> {
    try {
      const values = await load([...batch.keys()])
      answerAll(batch, (waiter, key) => waiter.resolve(values.get(key)))
    } catch (error) {
      answerAll(batch, (waiter) => waiter.reject(error))
    }
    queries -= 1
    pump()
  }

  /** Only to those that have not left. */
  function answerAll(batch: Map<Key, Waiters<Value>>, each: (waiter: Waiter<Value | undefined>, key: Key) => void) {
    for (const [key, waiters] of batch) {
      lookUps -= waiters.size
      for (const waiter of waiters) each(waiter, key)
    }
  }

  return async (key: Key): Promise<Value | undefined> => {
    if (lookUps >= bounds.waitingMax) throw busy
    return inTime(deadline, (waiter) => {
      const waiters = waiting.get(key) ?? new Set()
      waiting.set(key, waiters.add(waiter))
      lookUps += 1
      pump()
      return () => {
        waiters.delete(waiter)
        lookUps -= 1
        // A key without a waiter needs no query.
        if (waiters.size === 0 && waiting.get(key) === waiters) waiting.delete(key)
      }
    })
  }
}
