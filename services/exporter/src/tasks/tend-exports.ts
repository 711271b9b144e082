import type { Db } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { Task } from 'graphile-worker'
import { failExhausted, moveUp, requeueOrphans } from '../export-upkeep.ts'
import type { ExporterMetrics } from '../metrics.ts'

export interface TendDeps {
  db: Db
  metrics: Pick<ExporterMetrics, 'failures'>
  logger: Logger
}

/** Ends what can't go on and moves what stands still: exports that no job will ever finish. */
export function tendExports({ db, metrics, logger }: TendDeps): Task {
  return async () => {
    for (const id of await failExhausted(db)) {
      metrics.failures.inc({ code: 'exporter_lost' })
      logger.error({ export_id: id }, 'every exporter that tried this export was lost, it has failed')
    }
    await moveUp(db)
    for (const id of await requeueOrphans(db)) logger.warn({ export_id: id }, 'this export had lost its job')
  }
}
