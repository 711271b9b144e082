import type { Db, SecurityEventKind } from '@streamledger/db'

/** Where a request came from. All fields are bounded in length, and none contains a secret of the client. */
export interface RequestOrigin {
  request_id: string
  address: string
  /** The IPv4 address, or the network of an IPv6 address: what the log-in limits count. */
  network: string
  user_agent: string | null
}

export interface SecurityEvent {
  kind: SecurityEventKind
  /** Null if the user is not known. */
  user_id: number | null
  /** Id of the session or of the export. */
  subject?: string | null
  origin: RequestOrigin
}

/**
 * Records what happened to an account, in an append-only table. Call it inside the transaction of the change, if there
 * is one: if the event cannot be recorded, the change is rolled back.
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
