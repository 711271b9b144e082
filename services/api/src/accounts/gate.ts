export interface GateOptions {
  runningMax: number
  waitingMax: number
  /** What is thrown at whoever finds the waiting room full. */
  full: () => Error
}

export interface Gate {
  enter<T>(work: () => Promise<T>): Promise<T>
  readonly running: number
  readonly waiting: number
}

/** Lets so many pieces of work run at once, so many wait in order, and nobody else in. */
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
        // The place is handed on, not given up: somebody new could otherwise slip in before the next in line wakes.
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
