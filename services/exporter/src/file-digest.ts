import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'

export interface FileDigest {
  /** Passes everything on, unchanged. */
  readonly stream: Transform
  /** Of all that has passed; the stream must have ended. */
  result(): { size: number; sha256: string }
}

/** Computes size and checksum on the way to the store, so that a file is never read again for them. */
export function createFileDigest(): FileDigest {
  const hash = createHash('sha256')
  let size = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      hash.update(chunk)
      size += chunk.length
      callback(null, chunk)
    },
  })
  return { stream, result: () => ({ size, sha256: hash.digest('hex') }) }
}
