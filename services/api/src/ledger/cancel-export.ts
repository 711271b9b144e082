import type { Db } from '@streamledger/db'
import { sql } from 'kysely'
import { ExportError } from './export-errors.ts'
import type { ExportFiles } from './export-files.ts'
import { ownWallet } from './own-wallet.ts'

/**
 * Cancels an export that is not finished, and removes one that is, with its file.
 *
 * The exporter looks at the row before it publishes, so whatever it is doing at this moment comes to nothing.
 *
 * @throws ExportError `export_not_found`
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

  // Between the two statements a running export may only finish or fail: the second then finds it.
  const removed = await db
    .deleteFrom('exports')
    .where('id', '=', export_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('status', 'not in', ['queued', 'running'])
    .returning('file')
    .executeTakeFirst()
  if (!removed) throw new ExportError('export_not_found')
  // After the row: a file that nobody knows is swept up some day, a row without its file is an error that people see.
  if (removed.file !== null) await files.remove(removed.file)
}
