import { setTimeout as delay } from 'node:timers/promises'
import { isUnavailable } from './sqlstate.ts'

export interface AwaitDatabase {
  /** How long to wait for a database that is down, in ms. */
  startTimeoutMs: number
  /** Told each time the database could not be reached. */
  onWait?: (error: unknown) => void
}

const RETRY_INTERVAL_MS = 500

/**
 * Does a step of a service's start, and again while the database is down, within a bound: it may go away between any two
 * steps. Only for what may be done twice.
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
  const { host } = new URL(url) // never the whole: it has the password in it
  const seconds = startTimeoutMs / 1_000
  return new Error(
    `Postgres at ${host} could not be reached for ${seconds} s. Is it running, and is DATABASE_URL right?`,
    {
      cause,
    },
  )
}
