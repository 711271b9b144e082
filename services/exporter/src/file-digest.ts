import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'

export interface FileDigest {
  /** Passes all data through unchanged. */
  readonly stream: Transform
  /** Size and checksum of all data; the stream must have ended. */
  result(): { size: number; sha256: string }
}

/** Computes size and checksum while the file is written, so that it need not be read again. */
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
