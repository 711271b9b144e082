import type { Db } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { Task } from 'graphile-worker'
import type { ExportStore } from '../export-store.ts'
import { expireExports, forgetFailedJobs } from '../export-upkeep.ts'

export interface ExpireDeps {
  db: Db
  store: Pick<ExportStore, 'remove'>
  logger: Logger
  options: { ttlH: number }
}

/** Removes expired files; the rows of their exports stay. */
export function expireExportFiles({ db, store, logger, options }: ExpireDeps): Task {
  return async (_payload, { abortSignal }) => {
    let expired = 0
    while (!abortSignal.aborted) {
      const files = await expireExports(db)
      // Rows first: a file without a row is swept later, but users see an error for a row without its file.
      for (const file of files) await store.remove(file)
      expired += files.length
      if (files.length === 0) break
    }
    if (expired > 0) logger.info({ expired }, 'files have expired')
    await forgetFailedJobs(db, options.ttlH)
  }
}
