import type { Logger } from './create-logger.ts'

/** Callbacks that log the preparation of the database. */
export function logPreparation(logger: Logger) {
  let awaited = ''
  return {
    onApply: (migration: string) => logger.info({ migration }, 'migrated'),
    onWait: (error: unknown) => {
      const { name, message } = error as Error
      if (name !== 'DatabaseError') logger.warn({ err: error }, 'the database cannot be reached, trying again')
      else if (message !== awaited)
        logger.warn({ reason: message }, 'waiting until the database is migrated and granted')
      awaited = message
    },
    onExcess: ({ role, excess }: { role: string; excess: string | null }) =>
      logger.warn({ role, excess }, 'the database role of this service may do more than it needs; see docs/roles.md'),
  }
}
