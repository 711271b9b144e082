import type { Db, ExportStatus } from '@streamledger/db'
import { ApiError, type ErrorCode } from '../errors.ts'
import type { ExportFile, ExportFiles, ExportLink } from '../export-store.ts'
import { getExport } from './exports.ts'

export interface OpenedExport {
  file: ExportFile | ExportLink
  filename: string
  size: number
  sha256: string
}

export const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

const refusals: Record<Exclude<ExportStatus, 'succeeded'>, ErrorCode> = {
  queued: 'export_not_ready',
  running: 'export_not_ready',
  failed: 'export_failed',
  cancelled: 'export_cancelled',
  expired: 'export_expired',
}

/**
 * Opens the workbook of a finished export. The caller must close it.
 *
 * @throws ApiError with the reason why there is no file
 */
export async function openExportFile(
  db: Db,
  files: ExportFiles,
  user_id: number,
  export_id: string,
): Promise<OpenedExport> {
  const row = await getExport(db, user_id, export_id)
  if (row.status !== 'succeeded') throw new ApiError(refusals[row.status])
  const { file: name, size, sha256, expires_at, created_at } = row
  if (name === null || size === null || sha256 === null || expires_at === null) {
    throw new Error(`export ${export_id} succeeded without a file`)
  }
  // The clock decides, even if the exporter has not removed the file yet.
  if (expires_at.getTime() <= Date.now()) throw new ApiError('export_expired')

  const filename = `transactions-${created_at.toISOString().slice(0, 10)}.xlsx`
  const file = await files.open(name, { filename, type: XLSX, expires_at })
  if (!file) return refuseMissing(db, user_id, export_id)
  if ('size' in file && file.size !== size) {
    await file.close()
    throw new Error(`the file of export ${export_id} has ${file.size} bytes instead of ${size}`)
  }
  return { file, filename, size, sha256 }
}

/**
 * Between reading the row and opening the file, the export may have been removed or may have expired. Otherwise the
 * store and the database do not match, as after a restore; a new export gives the same data from the ledger.
 */
async function refuseMissing(db: Db, user_id: number, export_id: string): Promise<never> {
  const { status } = await getExport(db, user_id, export_id)
  if (status !== 'succeeded') throw new ApiError(refusals[status])
  throw new ApiError('export_file_missing')
}
