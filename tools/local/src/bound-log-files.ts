import { statSync, truncateSync } from 'node:fs'

const FILE_BYTES_MAX = 20_000_000
const CHECK_INTERVAL_MS = 30_000

/** Empties a log that has grown too large. The engines append, so they continue at the new end of the file. */
export function boundLogFiles(files: readonly string[]): NodeJS.Timeout {
  return setInterval(() => {
    for (const file of files) {
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
      if (size > FILE_BYTES_MAX) truncateSync(file)
    }
  }, CHECK_INTERVAL_MS)
}
