import { setTimeout as delay } from 'node:timers/promises'
import { migrate } from './migrate.ts'
import { isUnavailable } from './sqlstate.ts'

export interface PrepareDatabase {
  /** How long to wait for a database that is down, in ms. */
  startTimeoutMs: number
  /** Told of each migration as it is applied. */
  onApply?: (name: string) => void
  /** Told each time the database could not be reached. */
  onWait?: (error: unknown) => void
}

const RETRY_INTERVAL_MS = 500

/** Brings the database up to this release before a service starts; waits for one that is down, within a bound. */
export async function prepareDatabase(url: string, options: PrepareDatabase): Promise<void> {
  const deadline = performance.now() + options.startTimeoutMs
  for (;;) {
    try {
      return await migrate(url, options.onApply ? { onApply: options.onApply } : {})
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
