import type { User } from '../load/sign-up.ts'
import type { Stack } from '../stack/open-stack.ts'
import type { Account } from './account.ts'
import type { EventMemory } from './event-memory.ts'
import type { PostgresBackup } from './postgres-backup.ts'

/** What every act of the drill works on. */
export interface Drill {
  readonly stack: Stack
  readonly backup: PostgresBackup
  readonly account: Account
  readonly events: EventMemory
  readonly users: readonly User[]
  /** Postings a second, at most. */
  readonly rate: number
  readonly dir: string
  readonly signal: AbortSignal
}

/** So long something may take that takes a moment, on a machine that has other work. */
export const PATIENCE_MS = 60_000
