import { type Db, type Export, exportColumns } from '@streamledger/db'
import { sql } from 'kysely'
import { ownWallet } from './own-wallet.ts'

export interface ExportPosition {
  created_at: Date
  id: string
}

export interface ExportPageRequest {
  user_id: number
  limit: number
  /** The last export of the previous page. */
  before?: ExportPosition | undefined
}

export interface ExportPage {
  exports: Export[]
  /** Where the next page begins, if there is one. */
  next: ExportPosition | undefined
}

/** One page, newest first. */
export async function listExports(db: Db, { user_id, limit, before }: ExportPageRequest): Promise<ExportPage> {
  let query = db
    .selectFrom('exports')
    .select(exportColumns)
    .where('wallet_id', '=', ownWallet(user_id))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1) // the extra row shows whether there is a next page
  if (before) query = query.where(sql<boolean>`(created_at, id) < (${before.created_at}, ${before.id})`)

  const exports = await query.execute()
  const more = exports.length > limit
  if (more) exports.pop()
  return { exports, next: more ? exports.at(-1) : undefined }
}
