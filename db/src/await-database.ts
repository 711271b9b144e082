import { setTimeout as delay } from 'node:timers/promises'
import { parsePostgresUrl } from '@streamledger/runtime'
import { isUnprepared } from './errors.ts'
import { isUnavailable } from './sqlstate.ts'

export interface AwaitDatabase {
  /** How long to wait for a database that is down, in ms. */
  startTimeoutMs: number
  /** Called each time the database could not be reached, or was not migrated or granted yet. */
  onWait?: (error: unknown) => void
  /** Called when the step has succeeded. */
  onReached?: () => void
}

const RETRY_INTERVAL_MS = 500
/** Shorter, since a migration usually takes less than a second. */
const UNPREPARED_INTERVAL_MS = 200

/**
 * Runs one step of a service's start, and retries it within a time limit while the database is down, which may happen
 * between any two steps, or is not migrated yet. The step must be safe to repeat.
 */
export async function awaitDatabase<T>(url: string, step: () => Promise<T>, options: AwaitDatabase): Promise<T> {
  const deadline = performance.now() + options.startTimeoutMs
  for (;;) {
    try {
      const result = await step()
      options.onReached?.()
      return result
    } catch (error) {
      const unprepared = isUnprepared(error)
      if (!unprepared && !isUnavailable(error)) throw error
      const intervalMs = unprepared ? UNPREPARED_INTERVAL_MS : RETRY_INTERVAL_MS
      if (performance.now() + intervalMs > deadline) {
        throw unprepared ? error : unreachable(url, options.startTimeoutMs, error)
      }
      options.onWait?.(error)
      await delay(intervalMs)
    }
  }
}

function unreachable(url: string, startTimeoutMs: number, cause: unknown): Error {
  const { host } = parsePostgresUrl(url) // never the whole URL: it contains the password
  const seconds = startTimeoutMs / 1_000
  return new Error(
    `Postgres at ${host} could not be reached for ${seconds} s. Is it running, and is DATABASE_URL right?`,
    {
      cause,
    },
  )
}
