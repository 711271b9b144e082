import { setTimeout as sleep } from 'node:timers/promises'
import type { Disk } from '@streamledger/export-files'
import type { ExportFiles } from './export-files.ts'

const SECOND_MS = 1_000
/** How long the bucket may take to say whether it has a file: who waits is a person, and the bucket tells them, too. */
const LOOK_MS = 1_000

/** Sends clients to the bucket, which knows ranges and ETags itself: no byte goes through the API. */
export function createExportBucket(disk: Disk, { urlTtlS }: { urlTtlS: number }): ExportFiles {
  return {
    async open(name, { filename, type, expires_at }) {
      if (await isMissing(disk, name)) return undefined
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

/** False also where that is not known: it does not answer, or may not be asked, and whoever is sent there finds out. */
async function isMissing(disk: Disk, name: string): Promise<boolean> {
  const looked = disk.exists(name).then((exists) => !exists)
  const noAnswer = sleep(LOOK_MS, false, { ref: false })
  return Promise.race([looked, noAnswer]).catch(() => false)
}
