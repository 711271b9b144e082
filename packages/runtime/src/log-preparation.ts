import type { Logger } from './create-logger.ts'

/** What a service tells of its database while it prepares it. */
export function logPreparation(logger: Logger) {
  return {
    onApply: (migration: string) => logger.info({ migration }, 'migrated'),
    onWait: (error: unknown) => logger.warn({ err: error }, 'the database cannot be reached, trying again'),
  }
}
