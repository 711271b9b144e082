import { setTimeout as delay } from 'node:timers/promises'

export type WaitForOptions = { timeoutMs?: number; intervalMs?: number }

const TIMEOUT_MS = 10_000
const INTERVAL_MS = 20

/** Repeats `attempt` until it neither throws nor returns false, and returns its result. After the deadline it throws the last reason. */
export async function waitFor<T>(attempt: () => T | Promise<T>, options: WaitForOptions = {}): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, intervalMs = INTERVAL_MS } = options
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let failure: unknown
    try {
      const value = await attempt()
      if (value !== false) return value
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) {
      const reason = failure instanceof Error ? failure.message : 'the condition stayed false'
      throw new Error(`not within ${timeoutMs} ms: ${reason}`, { cause: failure })
    }
    await delay(intervalMs)
  }
}
