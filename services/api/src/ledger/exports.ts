import { type Db, type Export, exportColumns, inTransaction, type Trx } from '@streamledger/db'
import { EXPORT_ATTEMPTS_MAX, EXPORT_TASK, type ExportRequested, exportJobKey } from '@streamledger/events'
import type { TraceContext } from '@streamledger/tracing'
import { sql } from 'kysely'
import { ApiError } from '../errors.ts'
import type { ExportFiles } from '../export-store.ts'
import type { TransactionFilters } from './transactions.ts'
import { ownWallet } from './wallet-reader.ts'

export interface RequestExport extends TransactionFilters {
  user_id: number
  idempotency_key?: string | undefined
  /** The trace that the request belongs to, carried into the job. */
  trace?: TraceContext | undefined
}

export interface RequestExportOptions {
  unfinishedMax: number
}

/**
 * Orders an export of the wallet's transactions up to now: inserts its row and its job in one commit.
 *
 * @throws ApiError `too_many_exports`, `idempotency_key_reused`
 * @throws ApiError `wallet_not_found`
 */
export async function requestExport(db: Db, request: RequestExport, options: RequestExportOptions): Promise<Export> {
  return inTransaction(db, async (trx) => {
    // While the wallet is locked, nothing is posted and no other export is ordered: count and sequence stay correct.
    const wallet = await trx
      .selectFrom('wallets')
      .select(['id', 'sequence'])
      .where('user_id', '=', request.user_id)
      .forNoKeyUpdate()
      .executeTakeFirst()
    if (!wallet) throw new ApiError('wallet_not_found')

    const earlier = await findEarlier(trx, wallet.id, request)
    if (earlier) return earlier
    const unfinished = await countUnfinished(trx, wallet.id)
    if (unfinished >= options.unfinishedMax) throw new ApiError('too_many_exports')

    const row = await trx
      .insertInto('exports')
      .values({
        wallet_id: wallet.id,
        as_of_sequence: wallet.sequence,
        entry: request.entry ?? null,
        from_at: request.from ?? null,
        to_at: request.to ?? null,
        idempotency_key: request.idempotency_key ?? null,
        // Not now(), when the transaction began: transactions posted while it waited for the lock are in the export.
        created_at: sql<Date>`clock_timestamp()`,
      })
      .returning(exportColumns)
      .executeTakeFirstOrThrow()
    // Fair order: a user's second export waits for the first of every other user, the third for their second, and so
    // on.
    await addJob(trx, { export_id: row.id, ...request.trace }, { priority: unfinished })
    return row
  })
}

/** The earlier export with this Idempotency-Key. */
async function findEarlier(trx: Trx, wallet_id: number, request: RequestExport): Promise<Export | undefined> {
  if (request.idempotency_key === undefined) return undefined
  const earlier = await trx
    .selectFrom('exports')
    .select(exportColumns)
    .where('wallet_id', '=', wallet_id)
    .where('idempotency_key', '=', request.idempotency_key)
    .executeTakeFirst()
  if (earlier && !hasFilters(earlier, request)) throw new ApiError('idempotency_key_reused')
  return earlier
}

function hasFilters(row: Export, { entry, from, to }: TransactionFilters): boolean {
  return (
    row.entry === (entry ?? null) &&
    row.from_at?.getTime() === from?.getTime() &&
    row.to_at?.getTime() === to?.getTime()
  )
}

async function countUnfinished(trx: Trx, wallet_id: number): Promise<number> {
  const { count } = await trx
    .selectFrom('exports')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('wallet_id', '=', wallet_id)
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirstOrThrow()
  return count
}

async function addJob(trx: Trx, payload: ExportRequested, { priority }: { priority: number }): Promise<void> {
  await sql`
    select graphile_worker.add_job(
      ${EXPORT_TASK},
      payload := ${JSON.stringify(payload)}::json,
      max_attempts := ${EXPORT_ATTEMPTS_MAX},
      job_key := ${exportJobKey(payload.export_id)},
      priority := ${priority}::int
    )`.execute(trx)
}

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
