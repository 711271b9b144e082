import type { Db } from '@streamledger/db'
import { sql } from 'kysely'
import { ApiError } from '../errors.ts'
import type { ExportFiles } from './export-files.ts'
import { ownWallet } from './own-wallet.ts'

/**
 * Cancels an unfinished export, or removes a finished one with its file.
 *
 * The exporter checks the row before it publishes, so a running export is discarded.
 *
 * @throws ApiError `export_not_found`
 */
export async function cancelExport(db: Db, files: ExportFiles, user_id: number, export_id: string): Promise<void> {
  const cancelled = await db
    .updateTable('exports')
    .set({ status: 'cancelled', finished_at: sql<Date>`now()` })
    .where('id', '=', export_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirst()
  if (cancelled.numUpdatedRows > 0n) return

  // Between the two statements a running export can only finish or fail. The second statement then finds it.
  const removed = await db
    .deleteFrom('exports')
    .where('id', '=', export_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('status', 'not in', ['queued', 'running'])
    .returning('file')
    .executeTakeFirst()
  if (!removed) throw new ApiError('export_not_found')
  // The row first: the exporter later removes a file without a row, but a row without its file is an error for users.
  if (removed.file !== null) await files.remove(removed.file)
}
