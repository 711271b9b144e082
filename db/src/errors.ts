export const databaseErrors = {
  migration_changed:
    'A migration that this database has already applied was changed. Restore the file, or add a new migration.',
  database_too_new: 'This database has a breaking migration that this release does not know. Start a newer release.',
  installation_differs: 'This database belongs to another installation.',
  topic_differs: 'This database publishes to another topic.',
} as const
export type DatabaseErrorCode = keyof typeof databaseErrors

/** Why a service cannot start on this database. The message says what to do. */
export class DatabaseError extends Error {
  override name = 'DatabaseError'
  readonly code: DatabaseErrorCode
  constructor(code: DatabaseErrorCode, detail: string, options?: ErrorOptions) {
    super(`${databaseErrors[code]} ${detail}`, options)
    this.code = code
  }
}
