import { setTimeout as delay } from 'node:timers/promises'
import { isUnavailable } from './sqlstate.ts'

export interface AwaitDatabase {
  /** How long to wait for a database that is down, in ms. */
  startTimeoutMs: number
  /** Called each time the database could not be reached. */
  onWait?: (error: unknown) => void
}

const RETRY_INTERVAL_MS = 500

/**
 * Runs one step of a service's start, and retries it within a time limit while the database is down, which may happen
 * between any two steps. The step must be safe to repeat.
 */
export async function awaitDatabase<T>(url: string, step: () => Promise<T>, options: AwaitDatabase): Promise<T> {
  const deadline = performance.now() + options.startTimeoutMs
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      if (performance.now() + RETRY_INTERVAL_MS > deadline) throw unreachable(url, options.startTimeoutMs, error)
      options.onWait?.(error)
      await delay(RETRY_INTERVAL_MS)
    }
  }
}

function unreachable(url: string, startTimeoutMs: number, cause: unknown): Error {
  const { host } = new URL(url) // never the whole URL: it contains the password
  const seconds = startTimeoutMs / 1_000
  return new Error(
    `Postgres at ${host} could not be reached for ${seconds} s. Is it running, and is DATABASE_URL right?`,
    {
      cause,
    },
  )
}
