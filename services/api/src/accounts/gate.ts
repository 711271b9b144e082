export interface GateOptions {
  runningMax: number
  waitingMax: number
  /** Makes the error for a caller that finds the queue full. */
  full: () => Error
}

export interface Gate {
  enter<T>(work: () => Promise<T>): Promise<T>
  readonly running: number
  readonly waiting: number
}

/** Runs at most `runningMax` pieces of work at once. Up to `waitingMax` more wait in order; all others are refused. */
export function createGate({ runningMax, waitingMax, full }: GateOptions): Gate {
  const waiting: (() => void)[] = []
  let running = 0

  return {
    async enter(work) {
      if (running < runningMax) running += 1
      else if (waiting.length >= waitingMax) throw full()
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // The place passes directly to the next in line. Otherwise a new caller could take it before that one wakes.
        const next = waiting.shift()
        if (next) next()
        else running -= 1
      }
    },
    get running() {
      return running
    },
    get waiting() {
      return waiting.length
    },
  }
}
