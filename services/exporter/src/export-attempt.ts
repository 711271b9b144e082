import type { Db, Entry } from '@streamledger/db'
import { type RawBuilder, sql } from 'kysely'
import { type AttemptEnding, ExportError, type ExportFailure } from './errors.ts'
import type { PublishedFile } from './export-store.ts'

/**
 * One attempt at an export, and what the export covers. Only the attempt whose uuid is in the row may change the
 * export.
 */
export interface ExportAttempt {
  id: string
  attempt: string
  /** The attempt that this one has taken the export from. It can no longer publish, and may have left a file. */
  replaced: string | null
  walletId: number
  holder: string
  currency: string
  entry: Entry | null
  from: Date | null
  to: Date | null
  orderedAt: Date
  /** The balances before the first and after the last transaction of the period, ignoring the entry filter. */
  openingBalance: number
  closingBalance: number
  /** The export has the rows with after < sequence <= through that match the entry filter. */
  after: number
  through: number
  rowsTotal: number
}

export interface AttemptKey {
  id: string
  attempt: string
}

/**
 * Takes over an export from any earlier attempt, and fixes which rows it covers. May be called again with the same
 * uuid.
 *
 * @returns undefined if there is nothing to do: the export is finished, cancelled or gone.
 */
export async function startAttempt(db: Db, { id, attempt }: AttemptKey): Promise<ExportAttempt | undefined> {
  const taken = await db
    .updateTable('exports')
    .set({
      status: 'running',
      attempt,
      rows_done: 0,
      rows_total: null,
      started_at: sql`coalesce(started_at, now())`,
    })
    .where('id', '=', id)
    .where('status', 'in', ['queued', 'running'])
    .returning(['id', 'wallet_id', 'entry', sql<string | null>`nullif(old.attempt, new.attempt)`.as('replaced')])
    .executeTakeFirst()
  if (!taken) return undefined
  const range = await readRange(db, id)
  const rowsTotal = await countRows(db, taken.wallet_id, taken.entry, range)
  await reportAttempt(db, { id, attempt }, { rows_total: rowsTotal })
  return {
    id: taken.id,
    attempt,
    replaced: taken.replaced,
    walletId: taken.wallet_id,
    entry: taken.entry,
    ...range,
    rowsTotal,
  }
}

type Range = Omit<ExportAttempt, 'id' | 'attempt' | 'replaced' | 'walletId' | 'entry' | 'rowsTotal'>

/**
 * Turns the period into sequences. The history is append only and its times never decrease, so all attempts find the
 * same.
 */
async function readRange(db: Db, id: string): Promise<Range> {
  const { rows } = await sql<Range>`
    select users.first_name || ' ' || users.last_name as holder, wallets.currency,
           e.from_at as "from", e.to_at as "to", e.created_at as "orderedAt", range.after, range.through,
           ${balanceAfter(sql`least(range.after, range.through)`)} as "openingBalance",
           ${balanceAfter(sql`range.through`)} as "closingBalance"
    from exports e
    join wallets on wallets.id = e.wallet_id
    join users on users.id = wallets.user_id
    cross join lateral (
      select case when from_at is null then 0 else sequence_before(wallet_id, from_at) end as after,
             case when to_at is null then as_of_sequence
                  else least(as_of_sequence, sequence_before(wallet_id, to_at)) end as through
    ) range
    where e.id = ${id}`.execute(db)
  const [range] = rows
  if (!range) throw new ExportError('cancelled')
  return range
}

/** 0 before the first transaction. */
function balanceAfter(sequence: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`coalesce(
    (select balance from transactions where wallet_id = e.wallet_id and transactions.sequence = ${sequence}), 0)`
}

async function countRows(
  db: Db,
  walletId: number,
  entry: Entry | null,
  { after, through }: Pick<Range, 'after' | 'through'>,
): Promise<number> {
  if (entry === null) return Math.max(0, through - after) // sequences have no gaps
  const { rows } = await db
    .selectFrom('transactions')
    .select(({ fn }) => fn.countAll<number>().as('rows'))
    .where('wallet_id', '=', walletId)
    .where('entry', '=', entry)
    .where('sequence', '>', after)
    .where('sequence', '<=', through)
    .executeTakeFirstOrThrow()
  return rows
}

/** @throws ExportError `cancelled` or `replaced` if the export is no longer this attempt's. */
export async function reportAttempt(
  db: Db,
  key: AttemptKey,
  progress: { rows_done: number } | { rows_total: number },
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('exports')
    .set(progress)
    .where('id', '=', key.id)
    .where('attempt', '=', key.attempt)
    .where('status', '=', 'running')
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) throw new ExportError(await readEnding(db, key))
}

/**
 * Makes the file available to the user. Only this statement publishes. It succeeds only for the current attempt, and
 * may be repeated by an attempt that does not know whether it has succeeded.
 *
 * @throws ExportError `cancelled` or `replaced`: the file must be removed, no export refers to it.
 */
export async function finishAttempt(
  db: Db,
  key: AttemptKey,
  published: PublishedFile & { rows: number; ttlH: number },
): Promise<void> {
  const { file, size, sha256, rows, ttlH } = published
  const { numUpdatedRows } = await db
    .updateTable('exports')
    .set({
      status: 'succeeded',
      file,
      size,
      sha256,
      rows_done: rows,
      finished_at: sql`coalesce(finished_at, now())`,
      expires_at: sql`coalesce(expires_at, now() + make_interval(hours => ${ttlH}))`,
    })
    .where('id', '=', key.id)
    .where('attempt', '=', key.attempt)
    .where('status', 'in', ['running', 'succeeded'])
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) throw new ExportError(await readEnding(db, key))
}

/** Puts the export back into the queue for the next attempt. Does nothing if it is no longer this attempt's. */
export async function releaseAttempt(db: Db, key: AttemptKey): Promise<void> {
  await db
    .updateTable('exports')
    .set({ status: 'queued', attempt: null, rows_done: 0 })
    .where('id', '=', key.id)
    .where('attempt', '=', key.attempt)
    .where('status', '=', 'running')
    .execute()
}

/** Fails the export for good. Does nothing if it is no longer this attempt's. */
export async function failAttempt(db: Db, key: AttemptKey, failure: ExportFailure): Promise<void> {
  await db
    .updateTable('exports')
    .set({ status: 'failed', error: failure, finished_at: sql`now()` })
    .where('id', '=', key.id)
    .where('attempt', '=', key.attempt)
    .where('status', '=', 'running')
    .execute()
}

async function readEnding(db: Db, { id }: AttemptKey): Promise<AttemptEnding> {
  const row = await db.selectFrom('exports').select('status').where('id', '=', id).executeTakeFirst()
  // In one of these states, another attempt has taken over. Otherwise the export was cancelled, has expired or is
  // deleted.
  const isAttempted = row && ['queued', 'running', 'succeeded', 'failed'].includes(row.status)
  return isAttempted ? 'replaced' : 'cancelled'
}
