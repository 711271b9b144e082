import {
  type Db,
  inTransaction,
  isUniqueViolation,
  type User,
  userColumns,
  type Wallet,
  walletColumns,
} from '@streamledger/db'
import { ApiError } from '../errors.ts'
import type { RequestOrigin } from '../security-events.ts'
import { type LogInCountsOptions, welcome } from './log-in-counts.ts'
import type { Passwords } from './passwords.ts'
import { type RefreshToken, type SessionOptions, startSession } from './sessions.ts'

export interface SignUp {
  first_name: string
  last_name: string
  email: string
  password: string
}

export interface SignedIn {
  user: User
  wallet: Wallet
  refresh_token: RefreshToken
}

export interface AccountDeps {
  db: Db
  passwords: Passwords
  sessions: SessionOptions
  logInCounts: LogInCountsOptions
}

/**
 * Creates a user, their wallet and their first session in one commit.
 *
 * @throws ApiError `email_taken`, `password_common`, `sign_in_busy`
 */
export async function signUp(
  { db, passwords, sessions, logInCounts }: AccountDeps,
  { first_name, last_name, email, ...request }: SignUp,
  origin: RequestOrigin,
): Promise<SignedIn> {
  // Hashed before the transaction, so that no connection is held while waiting for a turn to hash.
  const password = await passwords.hash(request.password)
  try {
    return await inTransaction(db, async (trx) => {
      const user = await trx
        .insertInto('users')
        .values({ first_name, last_name, email, password })
        .returning(userColumns)
        .executeTakeFirstOrThrow()
      const wallet = await trx
        .insertInto('wallets')
        .values({ user_id: user.id })
        .returning(walletColumns)
        .executeTakeFirstOrThrow()
      await welcome(trx, { email, network: origin.network }, logInCounts)
      const refresh_token = await startSession(trx, { kind: 'signed_up', user_id: user.id, origin }, sessions)
      return { user, wallet, refresh_token }
    })
  } catch (error) {
    // The unique index decides. A query beforehand would find no user in either of two concurrent sign-ups.
    if (isUniqueViolation(error, 'users_email_unique')) throw new ApiError('email_taken', {}, { cause: error })
    throw error
  }
}
