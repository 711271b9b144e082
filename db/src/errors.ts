const databaseErrors = {
  migration_changed:
    'A migration that this database has already applied was changed. Restore the file, or add a new migration.',
  database_too_new: 'This database has a breaking migration that this release does not know. Start a newer release.',
  not_migrated: 'This database is not migrated to this release. The role that owns the tables must migrate it.',
  not_granted: 'The privileges of this role are missing. Run `streamledger grants` with the role that owns the tables.',
  not_owner: 'Only the role that owns the tables grants privileges.',
  role_missing: 'There is no such role.',
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

/** Whether another process has yet to migrate this database, or to grant the service's role its privileges. */
export function isUnprepared(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === 'not_migrated' || error.code === 'not_granted')
}
