import type { Db } from '@streamledger/db'
import type { ExportAttempt } from './export-attempt.ts'
import type { Patience } from './retry.ts'
import { retryUnavailable } from './retry-unavailable.ts'
import type { WorkbookRow } from './row-xml.ts'

export interface PageOptions extends Patience {
  pageRows: number
  signal: AbortSignal
}

/**
 * The rows of an export in sequence order, page by page. Each page is its own statement, so a long export keeps no
 * snapshot open. A failed page can be read again, because the history is append only.
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
  // A drain cancels the statement, so that it does not wait for a blocked one.
  return query.execute({ signal, inflightQueryAbortStrategy: 'cancel query' })
}
