import { type Deadline, inTime } from '../in-time.ts'

export interface GateOptions {
  runningMax: number
  waitingMax: number
  /** How long a caller may take, its wait and its work together. It may wait for half of that. */
  timeoutMs: number
  /** Makes the error for a caller that finds the queue full, or whose time is up. */
  busy: () => Error
}

export interface Gate {
  enter<Value>(work: () => Promise<Value>): Promise<Value>
  readonly running: number
  readonly waiting: number
}

/**
 * Runs at most `runningMax` pieces of work at once. Up to `waitingMax` more wait in order; all others are refused.
 * Work whose caller was refused because it took too long keeps its place until it ends.
 */
export function createGate({ runningMax, waitingMax, timeoutMs, busy }: GateOptions): Gate {
  const waiting = new Set<() => void>()
  const deadline: Deadline = { timeoutMs, late: busy }
  let running = 0

  /** The place passes directly to the next in line. Otherwise a new caller could take it first. */
  function pass(): void {
    const [next] = waiting
    if (!next) running -= 1
    else {
      waiting.delete(next)
      next()
    }
  }

  return {
    enter: async <Value>(work: () => Promise<Value>) => {
      if (running >= runningMax && waiting.size >= waitingMax) throw busy()
      return inTime<Value>(deadline, (waiter) => {
        const run = () => {
          waiter.begin()
          const ended = new Promise<Value>((resolve) => resolve(work())) // rejects if `work` throws
          void ended.then(waiter.resolve, waiter.reject).finally(pass)
        }
        if (running >= runningMax) waiting.add(run)
        else {
          running += 1
          run()
        }
        return () => waiting.delete(run)
      })
    },
    get running() {
      return running
    },
    get waiting() {
      return waiting.size
    },
  }
}
