import { type Db, type LedgerTransaction, transactionColumns } from '@streamledger/db'
import { ApiError } from '../errors.ts'
import { ownWallet } from './own-wallet.ts'
import { isSynchronous, type Vouch, vouchFor } from './vouch.ts'

/**
 * Returns a transaction, once it is as durable as a commit.
 *
 * @throws ApiError `transaction_not_found`, also for a transaction of another user
 */
export async function getTransaction(
  db: Db,
  vouch: Vouch,
  user_id: number,
  transaction_id: number,
): Promise<LedgerTransaction> {
  const transaction = await db
    .selectFrom('transactions')
    .select(transactionColumns)
    .select(isSynchronous)
    .where('id', '=', transaction_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .executeTakeFirst()
  if (!transaction) throw new ApiError('transaction_not_found')
  return vouchFor(vouch, transaction)
}
