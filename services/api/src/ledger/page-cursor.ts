import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_BYTES = 16
/** Derives a separate key for cursors, so that a signature for one purpose is not valid for another. */
const PURPOSE = 'streamledger page cursor v1'

export interface PageCursors {
  /** Signs a position in one user's list. A cursor is valid for its `list` only. */
  seal(list: string, user_id: number, position: unknown): string
  /** @returns undefined for a cursor that was not signed for this list and user */
  open(list: string, user_id: number, cursor: string): unknown
}

/** Opaque, signed cursors that clients cannot forge. The first secret signs; all are accepted. */
export function createPageCursors(secrets: readonly string[]): PageCursors {
  const keys = secrets.map((secret) => createHmac('sha256', secret).update(PURPOSE).digest())
  const [signing] = keys
  if (!signing) throw new Error('page cursors need a secret')

  return {
    seal: (list, user_id, position) => {
      const payload = Buffer.from(JSON.stringify(position))
      return Buffer.concat([sign(signing, list, user_id, payload), payload]).toString('base64url')
    },
    open: (list, user_id, cursor) => {
      const bytes = Buffer.from(cursor, 'base64url')
      // Node's decoder skips characters that are not base64url. Accept only the exact spelling that was issued.
      if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== cursor) return undefined
      const [mac, payload] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES)]
      const sealed = keys.some((key) => timingSafeEqual(mac, sign(key, list, user_id, payload)))
      return sealed ? JSON.parse(payload.toString()) : undefined
    },
  }
}

function sign(key: Buffer, list: string, user_id: number, payload: Buffer): Buffer {
  return createHmac('sha256', key).update(`${list} ${user_id} `).update(payload).digest().subarray(0, MAC_BYTES)
}
