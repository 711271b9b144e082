import { backOffMs, sleep } from '@streamledger/runtime'

export interface Patience {
  /** How long to retry. */
  patienceMs: number
  /** Stops retrying; the current try goes on. */
  signal?: AbortSignal
}

const BACK_OFF = { baseMs: 100, maxMs: 2_000 }

/** Retries after any error, or only after errors for which `passes` is true. Only for work that may be done twice. */
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
