import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_BYTES = 16
/** A cursor's own part of the secret: what is signed for one purpose is worth nothing for another. */
const PURPOSE = 'streamledger page cursor v1'

export interface PageCursors {
  /** Seals a position in one user's list; `list` keeps the lists apart. */
  seal(list: string, user_id: number, position: unknown): string
  /** @returns undefined for a cursor that was not sealed here for this list and user */
  open(list: string, user_id: number, cursor: string): unknown
}

/** Cursors that clients can neither read meaning into nor make up. The first secret signs, all are accepted. */
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
      // Node skips what is not base64url: only the one spelling that was handed out is taken.
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
