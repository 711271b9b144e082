import type { User } from '../load/sign-up.ts'
import type { Stack } from '../stack/open-stack.ts'
import type { Account } from './account.ts'
import type { EventMemory } from './event-memory.ts'
import type { PostgresBackup } from './postgres-backup.ts'

/** The dependencies of all acts. */
export interface Drill {
  readonly stack: Stack
  readonly backup: PostgresBackup
  readonly account: Account
  readonly events: EventMemory
  readonly users: readonly User[]
  /** Maximum number of postings per second. */
  readonly rate: number
  readonly dir: string
  readonly signal: AbortSignal
}

/** Timeout for short operations on a busy machine. */
export const PATIENCE_MS = 60_000
