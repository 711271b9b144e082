import type { Disk } from '@streamledger/export-files'
import type { ExportFiles } from './export-files.ts'

const SECOND_MS = 1_000

/** Sends clients to the bucket, which knows ranges and ETags itself: no byte goes through the API. */
export function createExportBucket(disk: Disk, { urlTtlS }: { urlTtlS: number }): ExportFiles {
  return {
    async open(name, { filename, type, expires_at }) {
      // Never for longer than the file may be had.
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
