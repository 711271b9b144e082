import type { Logger } from './create-logger.ts'
import { OutageLog } from './outage-log.ts'

/** Callbacks that log the preparation of the database. */
export function logPreparation(logger: Logger) {
  let awaited = ''
  const outage = new OutageLog(logger, 'the database is reached')
  return {
    onApply: (migration: string) => logger.info({ migration }, 'migrated'),
    onWait: (error: unknown) => {
      const { name, message } = error as Error
      if (name !== 'DatabaseError') {
        outage.failed('the database cannot be reached, trying again', error)
        return
      }
      outage.ended()
      if (message !== awaited) logger.warn({ reason: message }, 'waiting until the database is migrated and granted')
      awaited = message
    },
    onReached: () => outage.ended(),
    onExcess: ({ role, excess }: { role: string; excess: string | null }) =>
      logger.warn({ role, excess }, 'the database role of this service may do more than it needs; see docs/roles.md'),
  }
}
