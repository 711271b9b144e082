import type { Db } from '@streamledger/db'
import type { ExportAttempt } from './export-attempt.ts'
import type { Patience } from './retry.ts'
import { retryUnavailable } from './retry-unavailable.ts'
import type { WorkbookRow } from './transaction-sheet.ts'

export interface PageOptions extends Patience {
  pageRows: number
  signal: AbortSignal
}

/**
 * The rows of an export in sequence order, a page at a time. Each page is a statement of its own, so no snapshot stays
 * open however long the export takes, and a page that failed can be read again: the history is append only.
 */
export async function* transactionPages(
  db: Db,
  range: Pick<ExportAttempt, 'walletId' | 'entry' | 'after' | 'through'>,
  options: PageOptions,
): AsyncGenerator<WorkbookRow[]> {
  const { pageRows, signal } = options
  let after = range.after
  while (after < range.through) {
    const page = await retryUnavailable(() => readPage(db, { ...range, after }, options), options)
    signal.throwIfAborted()
    const last = page.at(-1)
    if (last) yield page
    if (!last || page.length < pageRows) return
    after = last.sequence
  }
}

function readPage(
  db: Db,
  { walletId, entry, after, through }: Pick<ExportAttempt, 'walletId' | 'entry' | 'after' | 'through'>,
  { pageRows, signal }: PageOptions,
) {
  let query = db
    .selectFrom('transactions')
    .select(['id', 'sequence', 'created_at', 'entry', 'amount', 'balance', 'trans_id'])
    .where('wallet_id', '=', walletId)
    .where('sequence', '>', after)
    .where('sequence', '<=', through)
    .orderBy('sequence')
    .limit(pageRows)
  if (entry !== null) query = query.where('entry', '=', entry)
  // A drain must not wait for a statement that waits for something else.
  return query.execute({ signal, inflightQueryAbortStrategy: 'cancel query' })
}
