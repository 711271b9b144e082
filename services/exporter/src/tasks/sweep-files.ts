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

/** Number of files that one statement looks up. */
const BATCH_FILES = 500
const HOUR_MS = 3_600_000
/** A draft without a write for this long is abandoned. */
const DRAFT_IDLE_MS = HOUR_MS

/** Removes files of attempts that could not clean up because their process was killed. */
export function sweepFiles({ db, store, metrics, logger, options }: SweepDeps): Task {
  return async (_payload, { abortSignal }) => {
    let batch: StoredFile[] = []
    const sweepBatch = async (): Promise<void> => {
      for (const { file } of await findStrays(db, batch, options)) {
        await store.remove(file)
        metrics.swept.inc()
        logger.info({ file }, 'removed a file that no export points to')
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
 * Finds files that no export needs. This is safe because of the order: an attempt is written to its row before it
 * creates its file, and the files are listed before the rows are read. So an attempt that is not in its row by now has
 * ended or was replaced, for good.
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
    // The export is unknown to this database. The file may belong to another database that shares the store by mistake,
    // so it is only removed once it must have expired there, too.
    return Date.now() - stored.modifiedAt.getTime() > (stored.isDraft ? DRAFT_IDLE_MS : ttlH * HOUR_MS)
  })
}
