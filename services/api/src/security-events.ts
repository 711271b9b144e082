import type { Db, SecurityEventKind } from '@streamledger/db'

/** Where a request came from, bounded, and without anything that its client wants kept secret. */
export interface RequestOrigin {
  request_id: string
  address: string
  /** The address, or the network, that counts as one. */
  network: string
  user_agent: string | null
}

export interface SecurityEvent {
  kind: SecurityEventKind
  /** null where nobody is known. */
  user_id: number | null
  /** The session, or the export. */
  subject?: string | null
  origin: RequestOrigin
}

/**
 * Writes down what happened to an account; the table takes nothing back. Wherever there is a transaction it belongs in
 * it: what could not be recorded has not happened.
 */
export async function recordSecurityEvent(
  db: Db,
  { kind, user_id, subject = null, origin }: SecurityEvent,
): Promise<void> {
  const { network: _, ...from } = origin
  await db
    .insertInto('security_events')
    .values({ kind, user_id, subject, ...from })
    .execute()
}
