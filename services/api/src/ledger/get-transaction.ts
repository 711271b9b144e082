import { type Db, type LedgerTransaction, transactionColumns } from '@streamledger/db'
import { LedgerError } from './errors.ts'
import { ownWallet } from './own-wallet.ts'

/** @throws LedgerError `transaction_not_found`, also for a transaction of another user */
export async function getTransaction(db: Db, user_id: number, transaction_id: number): Promise<LedgerTransaction> {
  const transaction = await db
    .selectFrom('transactions')
    .select(transactionColumns)
    .where('id', '=', transaction_id)
    .where('wallet_id', '=', ownWallet(user_id))
    .executeTakeFirst()
  if (!transaction) throw new LedgerError('transaction_not_found')
  return transaction
}
