import type { Db } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { Task } from 'graphile-worker'
import type { ExportStore, StoredFile } from '../export-store.ts'
import type { ExporterMetrics } from '../metrics.ts'

export interface SweepDeps {
  db: Db
  store: Pick<ExportStore, 'list' | 'remove'>
  metrics: Pick<ExporterMetrics, 'swept'>
  logger: Logger
  options: { ttlH: number }
}

/** Files that are looked up in one statement. */
const BATCH_FILES = 500
const HOUR_MS = 3_600_000
/** A draft that nobody has written to for so long is nobody's. */
const DRAFT_IDLE_MS = HOUR_MS

/** Removes what attempts left that could not clean up after themselves, because their process was killed. */
export function sweepFiles({ db, store, metrics, logger, options }: SweepDeps): Task {
  return async (_payload, { abortSignal }) => {
    let batch: StoredFile[] = []
    const sweepBatch = async (): Promise<void> => {
      for (const { file } of await findStrays(db, batch, options)) {
        await store.remove(file)
        metrics.swept.inc()
        logger.info({ file }, 'a file that no export points to is removed')
      }
      batch = []
    }
    for await (const file of store.list()) {
      if (abortSignal.aborted) return
      if (batch.push(file) === BATCH_FILES) await sweepBatch()
    }
    await sweepBatch()
  }
}

/**
 * The files have been listed before their rows are read, and an attempt is in its row before it has a file. So one that
 * is not in its row by now is over, or was replaced, and never comes back.
 */
async function findStrays(db: Db, files: readonly StoredFile[], { ttlH }: { ttlH: number }): Promise<StoredFile[]> {
  if (files.length === 0) return []
  const rows = await db
    .selectFrom('exports')
    .select(['id', 'status', 'attempt', 'file'])
    .where(
      'id',
      'in',
      files.map(({ exportId }) => exportId),
    )
    .execute()
  const known = new Map(rows.map((row) => [row.id, row]))
  return files.filter((stored) => {
    const row = known.get(stored.exportId)
    if (row) return row.file !== stored.file && !(row.status === 'running' && row.attempt === stored.attempt)
    // Of no export that this database knows, maybe one of another that shares the store by mistake: its time must be
    // over by anybody's reckoning.
    return Date.now() - stored.modifiedAt.getTime() > (stored.isDraft ? DRAFT_IDLE_MS : ttlH * HOUR_MS)
  })
}
