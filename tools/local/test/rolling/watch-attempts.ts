import { setTimeout as delay } from 'node:timers/promises'
import { EXPORT_TASK } from '@streamledger/events'
import type { TestDatabase } from '@streamledger/testkit'

const LOOK_INTERVAL_MS = 50

/** Sees how often any export is tried while it is watched. */
export function watchAttempts(pool: TestDatabase['pool']): { stop(): Promise<number> } {
  let most = 0
  let stopped = false
  const watching = (async () => {
    while (!stopped) {
      const { rows } = await pool.query(
        'select coalesce(max(attempts), 0)::int as attempts from graphile_worker.jobs where task_identifier = $1',
        [EXPORT_TASK],
      )
      most = Math.max(most, rows[0].attempts)
      await delay(LOOK_INTERVAL_MS)
    }
    return most
  })()
  watching.catch(() => {}) // told by `stop`
  return {
    stop: () => {
      stopped = true
      return watching
    },
  }
}
