import { setTimeout as delay } from 'node:timers/promises'

export interface UntilOptions {
  readonly what: string
  readonly timeoutMs: number
  readonly intervalMs: number
  readonly signal: AbortSignal
}

/** Polls until the condition is true. @throws Error after the timeout */
export async function until(isSo: () => Promise<boolean> | boolean, options: UntilOptions): Promise<void> {
  const { what, timeoutMs, intervalMs, signal } = options
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${Math.round(timeoutMs / 1_000)} s`)
    await delay(intervalMs, undefined, { signal })
  }
}
