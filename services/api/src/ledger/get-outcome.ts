import { type Db, refusalColumns, transactionColumns } from '@streamledger/db'
import { ApiError } from '../errors.ts'
import type { Recorded } from './decide.ts'
import { ownWallet } from './own-wallet.ts'
import { isSynchronous, type Vouch, vouchFor } from './vouch.ts'

/**
 * Returns the recorded outcome of a trans_id, once it is as durable as a commit. Never executes anything.
 *
 * @throws ApiError `transaction_not_found` when nothing is recorded; a request still under way may change that
 */
export async function getOutcome(db: Db, vouch: Vouch, user_id: number, trans_id: string): Promise<Recorded> {
  // Two queries are no race: a trans_id is recorded once, in one of the two tables, and stays there.
  const transaction = await db
    .selectFrom('transactions')
    .select(transactionColumns)
    .select(isSynchronous)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('trans_id', '=', trans_id)
    .executeTakeFirst()
  if (transaction) return { kind: 'transaction', transaction: await vouchFor(vouch, transaction) }

  const refusal = await db
    .selectFrom('refusals')
    .select(refusalColumns)
    .select(isSynchronous)
    .where('wallet_id', '=', ownWallet(user_id))
    .where('trans_id', '=', trans_id)
    .executeTakeFirst()
  if (refusal) return { kind: 'refusal', refusal: await vouchFor(vouch, refusal) }
  throw new ApiError('transaction_not_found')
}
