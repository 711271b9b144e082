export interface BackOffOptions {
  baseMs: number
  maxMs: number
}

/**
 * The delay after attempt n (1, 2, …). It doubles from base to max; its upper half is random, so that replicas do not
 * retry at the same time.
 */
export function backOffMs(
  attempt: number,
  { baseMs, maxMs }: BackOffOptions,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30))
  return ceiling / 2 + (random() * ceiling) / 2
}

/** Resolves after `ms`, or at once when aborted. It never rejects; the caller checks its signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
