import { setTimeout as sleep } from 'node:timers/promises'
import type { Disk } from '@streamledger/export-files'
import type { ExportFiles } from './export-files.ts'

const SECOND_MS = 1_000
/**
 * How long to wait for the bucket to say whether it has a file. Short: a user waits, and the bucket reports it as well.
 */
const LOOK_MS = 1_000

/** Redirects clients to the bucket, which handles ranges and ETags itself: no byte of a file goes through the API. */
export function createExportBucket(disk: Disk, { urlTtlS }: { urlTtlS: number }): ExportFiles {
  return {
    async open(name, { filename, type, expires_at }) {
      if (await isMissing(disk, name)) return undefined
      // The URL must not outlive the export.
      const leftS = Math.floor((expires_at.getTime() - Date.now()) / SECOND_MS)
      const url = await disk.getSignedUrl(name, {
        expiresIn: Math.max(1, Math.min(urlTtlS, leftS)),
        contentDisposition: `attachment; filename="${filename}"`,
        contentType: type,
      })
      return { url }
    },
    remove: (name) => disk.delete(name),
  }
}

/** False also if this is unknown (no answer, no permission): the client then gets the error from the bucket. */
async function isMissing(disk: Disk, name: string): Promise<boolean> {
  const looked = disk.exists(name).then((exists) => !exists)
  const noAnswer = sleep(LOOK_MS, false, { ref: false })
  return Promise.race([looked, noAnswer]).catch(() => false)
}
