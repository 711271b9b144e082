import { busy } from './errors.ts'

export interface GatherBounds {
  /** Maximum queries under way at once. */
  queriesMax: number
  /** Maximum keys per query. */
  keysMax: number
  /** Maximum unanswered look-ups; one more is refused at once. */
  waitingMax: number
}

interface Waiting<Value> {
  resolve(value: Value | undefined): void
  reject(error: unknown): void
}

/**
 * Answers many single look-ups with few queries: look-ups that arrive while queries are under way share the next one. A
 * lone look-up does not wait. A query begins after every look-up that it answers, so a client that has seen a commit
 * also sees it here.
 *
 * @throws LedgerError `busy` from a look-up that finds the queue full
 */
export function gather<Key, Value>(load: (keys: Key[]) => Promise<Map<Key, Value>>, bounds: GatherBounds) {
  let waiting = new Map<Key, Waiting<Value>[]>()
  let lookUps = 0
  let queries = 0

  function pump(): void {
    while (queries < bounds.queriesMax && waiting.size > 0) {
      const batch = take()
      queries += 1
      void answer(batch)
    }
  }

  function take(): Map<Key, Waiting<Value>[]> {
    const all = waiting
    waiting = new Map()
    if (all.size <= bounds.keysMax) return all
    const entries = [...all]
    waiting = new Map(entries.slice(bounds.keysMax))
    return new Map(entries.slice(0, bounds.keysMax))
  }

  async function answer(batch: Map<Key, Waiting<Value>[]>): Promise<void> {
    const everyone = [...batch].flatMap(([key, list]) => list.map((entry) => ({ key, ...entry })))
    try {
      const values = await load([...batch.keys()])
      for (const { key, resolve } of everyone) resolve(values.get(key))
    } catch (error) {
      for (const { reject } of everyone) reject(error)
    }
    lookUps -= everyone.length
    queries -= 1
    pump()
  }

  return (key: Key): Promise<Value | undefined> =>
    new Promise((resolve, reject) => {
      if (lookUps >= bounds.waitingMax) return reject(busy)
      lookUps += 1
      const others = waiting.get(key)
      if (others) others.push({ resolve, reject })
      else waiting.set(key, [{ resolve, reject }])
      pump()
    })
}
