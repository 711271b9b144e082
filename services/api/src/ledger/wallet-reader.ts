import { type Db, type User, type Wallet, walletColumns } from '@streamledger/db'
import { type RawBuilder, sql } from 'kysely'
import { ApiError } from '../errors.ts'
import { gather, type ReadOptions } from './gather.ts'

interface OwnedWallet {
  user: Omit<User, 'password'>
  wallet: Wallet
}

export interface WalletReader {
  /** @throws ApiError `wallet_not_found`, `busy` */
  read(user_id: number): Promise<OwnedWallet>
}

const BOUNDS = { queriesMax: 2, keysMax: 200, waitingMax: 5_000 }

/** Reads wallets; concurrent requests share a query. */
export function createWalletReader(db: Db, { timeoutMs }: ReadOptions): WalletReader {
  const find = gather((users: number[]) => selectWallets(db, users), { ...BOUNDS, timeoutMs })
  return {
    async read(user_id) {
      const owned = await find(user_id)
      if (!owned) throw new ApiError('wallet_not_found')
      return owned
    },
  }
}

async function selectWallets(db: Db, users: number[]): Promise<Map<number, OwnedWallet>> {
  const rows = await db
    .selectFrom('wallets as w')
    .innerJoin('users as u', 'u.id', 'w.user_id')
    .select(walletColumns.map((name) => `w.${name}` as const))
    .select(['u.first_name', 'u.last_name', 'u.email', 'u.created_at as user_created_at'])
    .where('w.user_id', '=', ({ fn, val }) => fn.any(val(users)))
    .execute()
  return new Map(
    rows.map(({ first_name, last_name, email, user_created_at, ...wallet }) => [
      wallet.user_id,
      { user: { id: wallet.user_id, first_name, last_name, email, created_at: user_created_at }, wallet },
    ]),
  )
}

/** The id of a user's wallet, as a subquery. Queries filter by it, so that users see only their own data. */
export function ownWallet(user_id: number): RawBuilder<number> {
  return sql<number>`(select id from wallets where user_id = ${user_id})`
}
