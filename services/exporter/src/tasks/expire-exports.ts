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

/** Removes the files whose time is over; what is known of their exports stays. */
export function expireExportFiles({ db, store, logger, options }: ExpireDeps): Task {
  return async (_payload, { abortSignal }) => {
    let expired = 0
    while (!abortSignal.aborted) {
      const files = await expireExports(db)
      // After the rows: a file that nobody points to is swept up later, a row without its file is an error people see.
      for (const file of files) await store.remove(file)
      expired += files.length
      if (files.length === 0) break
    }
    if (expired > 0) logger.info({ expired }, 'files have expired')
    await forgetFailedJobs(db, options.ttlH)
  }
}
