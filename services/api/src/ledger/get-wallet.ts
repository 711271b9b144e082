import type { Db, User, Wallet } from '@streamledger/db'
import { LedgerError } from './errors.ts'

export interface OwnedWallet {
  user: Omit<User, 'password'>
  wallet: Wallet
}

/** @throws LedgerError `wallet_not_found` */
export async function getWallet(db: Db, user_id: number): Promise<OwnedWallet> {
  const row = await db
    .selectFrom('wallets as w')
    .innerJoin('users as u', 'u.id', 'w.user_id')
    .selectAll('w')
    .select(['u.first_name', 'u.last_name', 'u.email', 'u.created_at as user_created_at'])
    .where('w.user_id', '=', user_id)
    .executeTakeFirst()
  if (!row) throw new LedgerError('wallet_not_found')
  const { first_name, last_name, email, user_created_at, ...wallet } = row
  return { user: { id: user_id, first_name, last_name, email, created_at: user_created_at }, wallet }
}
