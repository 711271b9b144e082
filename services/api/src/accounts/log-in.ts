import { type Db, inTransaction, type User, type Wallet } from '@streamledger/db'
import { sql } from 'kysely'
import { type RequestOrigin, recordSecurityEvent } from '../security-events.ts'
import { AccountError } from './errors.ts'
import { startSession } from './sessions.ts'
import type { AccountDeps, SignedIn } from './sign-up.ts'

export interface LogIn {
  email: string
  password: string
}

/**
 * Starts a session for whoever knows the password. Unknown address and wrong password cost and answer the same.
 *
 * @throws AccountError `credentials_invalid`, `sign_in_busy`
 */
export async function logIn(
  { db, passwords, sessions }: AccountDeps,
  request: LogIn,
  origin: RequestOrigin,
): Promise<SignedIn> {
  const user = await findUser(db, request.email)
  const known = await passwords.verify(request.password, user?.password)
  if (!user || !known) {
    await recordSecurityEvent(db, { kind: 'log_in_failed', user_id: user?.id ?? null, origin })
    throw new AccountError('credentials_invalid')
  }

  const rehashed = passwords.isOutdated(user.password) ? await passwords.rehash(request.password) : undefined
  return inTransaction(db, async (trx) => {
    if (rehashed) {
      // Only over the hash that was checked: a password that was changed meanwhile stays changed.
      await trx
        .updateTable('users')
        .set({ password: rehashed })
        .where('id', '=', user.id)
        .where('password', '=', user.password)
        .execute()
    }
    const wallet = await findWallet(trx, user.id)
    const refresh_token = await startSession(trx, { kind: 'logged_in', user_id: user.id, origin }, sessions)
    return { user, wallet, refresh_token }
  })
}

function findUser(db: Db, email: string): Promise<User | undefined> {
  return db.selectFrom('users').selectAll().where(sql`lower(email)`, '=', sql`lower(${email})`).executeTakeFirst()
}

function findWallet(db: Db, user_id: number): Promise<Wallet> {
  return db.selectFrom('wallets').selectAll().where('user_id', '=', user_id).executeTakeFirstOrThrow()
}
