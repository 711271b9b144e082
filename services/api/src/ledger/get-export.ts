import { type Db, type Export, exportColumns } from '@streamledger/db'
import { ApiError } from '../errors.ts'
import { ownWallet } from './own-wallet.ts'

/** @throws ApiError `export_not_found`, also for an export of another user */
export async function getExport(db: Db, user_id: number, export_id: string): Promise<Export> {
  const row = await db
    .selectFrom('exports')
    .select(exportColumns)
    .where('id', '=', export_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .executeTakeFirst()
  if (!row) throw new ApiError('export_not_found')
  return row
}
