import type { Db, Entry, Export, Trx } from '@streamledger/db'
import { EXPORT_TASK, exportJobKey } from '@streamledger/events'
import { waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { onTestFinished } from 'vitest'
import type { History } from './make-history.ts'

export interface ExportOrder {
  entry?: Entry
  from_at?: Date
  to_at?: Date
  maxAttempts?: number
  priority?: number
  /** The trace context that the API puts into the job. */
  trace?: object
}

/** Orders an export of the history as it is now, the way the API does: row and job in one commit. */
export async function orderExport(db: Db, history: History, order: ExportOrder = {}): Promise<string> {
  const { maxAttempts = 5, priority = 0, trace = {}, ...filters } = order
  return db.transaction().execute(async (trx) => {
    const { id } = await trx
      .insertInto('exports')
      .values({ wallet_id: history.walletId, as_of_sequence: history.rows, ...filters })
      .returning('id')
      .executeTakeFirstOrThrow()
    await sql`
      select graphile_worker.add_job(${EXPORT_TASK}, ${JSON.stringify({ export_id: id, ...trace })}::json,
        job_key := ${exportJobKey(id)}, max_attempts := ${maxAttempts}::int, priority := ${priority}::int)`.execute(trx)
    return id
  })
}

export function readExport(db: Db, id: string): Promise<Export> {
  return db.selectFrom('exports').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

export function waitForExport(db: Db, id: string, is: (row: Export) => boolean, timeoutMs = 20_000): Promise<Export> {
  return waitFor(
    async () => {
      const row = await readExport(db, id)
      if (!is(row)) throw new Error(`the export is ${row.status}, ${row.rows_done} of ${row.rows_total}, ${row.error}`)
      return row
    },
    { timeoutMs },
  )
}

export interface HeldExport {
  /** As it was in its middle. */
  row: Export
  /** The transaction that holds it. */
  trx: Trx
  release(): Promise<void>
}

/** Waits until a slow export is half done, and stops it there: its next page waits for a lock on the table. */
export async function holdInMiddle(db: Db, id: string): Promise<HeldExport> {
  await waitForExport(db, id, (row) => row.status === 'running' && row.rows_done > 0)
  const trx = await db.startTransaction().execute()
  let isHeld = true
  const release = async (): Promise<void> => {
    if (isHeld) await trx.commit().execute()
    isHeld = false
  }
  onTestFinished(release)
  await sql`lock table transactions in access exclusive mode`.execute(trx)
  const row = await waitForExport(db, id, ({ status }) => status === 'running', 0)
  return { row, trx, release }
}

export interface QueuedJob {
  id: number
  attempts: number
  locked_by: string | null
  due: boolean
  last_error: string | null
}

export async function readJob(db: Db, exportId: string): Promise<QueuedJob | undefined> {
  const { rows } = await sql<QueuedJob>`
    select id, attempts, locked_by, run_at <= now() as due, last_error
    from graphile_worker.jobs where key = ${exportJobKey(exportId)}`.execute(db)
  return rows[0]
}

/** Makes a job that is to be retried later due now, if it has not been retried and done by itself meanwhile. */
export async function hurryJob(db: Db, exportId: string): Promise<void> {
  await waitFor(async () => {
    const { rows } = await sql`
      select from graphile_worker.jobs job, graphile_worker.reschedule_jobs(array[job.id], run_at := now())
      where job.key = ${exportJobKey(exportId)}`.execute(db)
    return rows.length === 1 || (await readJob(db, exportId)) === undefined
  })
}
