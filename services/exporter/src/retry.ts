import { backOffMs, sleep } from '@streamledger/runtime'

export interface Patience {
  /** How long to go on trying, in ms. */
  patienceMs: number
  /** Ends the patience, not the attempt under way. */
  signal?: AbortSignal
}

const BACK_OFF = { baseMs: 100, maxMs: 2_000 }

/** Tries again what failed, with any error or with one that passes. Only for work that may be done twice. */
export async function retry<T>(
  work: () => Promise<T>,
  { patienceMs, signal }: Patience,
  passes: (error: unknown) => boolean = () => true,
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const waitMs = backOffMs(attempt, BACK_OFF)
      if (!passes(error) || signal?.aborted || performance.now() + waitMs > deadline) throw error
      await sleep(waitMs, signal)
      if (signal?.aborted) throw error
    }
  }
}
