import type { Logger } from './create-logger.ts'

/** Callbacks that log the preparation of the database. */
export function logPreparation(logger: Logger) {
  return {
    onApply: (migration: string) => logger.info({ migration }, 'migrated'),
    onWait: (error: unknown) => logger.warn({ err: error }, 'the database cannot be reached, trying again'),
  }
}
