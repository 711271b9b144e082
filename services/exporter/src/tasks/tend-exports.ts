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

/** Fails exports that have no attempt left, moves waiting ones up, and gives a new job to those without one. */
export function tendExports({ db, metrics, logger }: TendDeps): Task {
  return async () => {
    for (const id of await failExhausted(db)) {
      metrics.failures.inc({ code: 'exporter_lost' })
      logger.error({ export_id: id }, 'export failed: each exporter that tried it was killed')
    }
    await moveUp(db)
    for (const id of await requeueOrphans(db))
      logger.warn({ export_id: id }, 'this export had no job, queued a new one')
  }
}
