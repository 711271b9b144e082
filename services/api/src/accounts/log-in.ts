import { type Db, inTransaction, type User, userColumns, type Wallet, walletColumns } from '@streamledger/db'
import { sql } from 'kysely'
import { ApiError } from '../errors.ts'
import { type RequestOrigin, recordSecurityEvent } from '../security-events.ts'
import { admitLogIn, countFailure, type LogInCountsOptions, type LogInPair, welcome } from './log-in-counts.ts'
import { startSession } from './sessions.ts'
import type { AccountDeps, SignedIn } from './sign-up.ts'

export interface LogIn {
  email: string
  password: string
}

/**
 * Starts a session if the password is right. An unknown address takes the same time and gets the same answer as a wrong
 * password.
 *
 * @throws ApiError `credentials_invalid`, `log_in_limited`, `sign_in_busy`
 */
export async function logIn(deps: AccountDeps, request: LogIn, origin: RequestOrigin): Promise<SignedIn> {
  const { db, sessions } = deps
  const { user, rehashed } = await checkPassword(deps, request, origin)
  return inTransaction(db, async (trx) => {
    if (rehashed) {
      // Only if the hash is still the one that was checked: a password changed meanwhile must not be overwritten.
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

interface Checked {
  user: User
  /** A new hash, if the old one was made with outdated parameters. */
  rehashed: string | undefined
}

/** Waits for a turn before the first query, so that a flood of log-ins does not load the database. */
function checkPassword(
  { db, passwords, logInCounts }: AccountDeps,
  { email, password }: LogIn,
  origin: RequestOrigin,
): Promise<Checked> {
  const pair = { email, network: origin.network }
  return passwords.inTurn(async (check) => {
    const next_wait_s = await admitLogIn(db, pair, logInCounts)
    const user = await findUser(db, email)
    const { isRight, rehashed } = await check(password, user?.password)
    if (!user || !isRight) {
      await fail(db, { pair, user_id: user?.id ?? null, next_wait_s, origin }, logInCounts)
      throw new ApiError('credentials_invalid')
    }
    // At once: the caller may be refused for lack of time before its session starts, and its try was right.
    await welcome(db, pair, logInCounts)
    return { user, rehashed }
  })
}

interface Failure {
  pair: LogInPair
  user_id: number | null
  next_wait_s: number
  origin: RequestOrigin
}

/**
 * `log_in_limited` is recorded with the failure that triggers the limit. The refused tries after it are not recorded.
 */
async function fail(db: Db, { pair, next_wait_s, ...whose }: Failure, options: LogInCountsOptions): Promise<void> {
  await inTransaction(db, async (trx) => {
    const failures = await countFailure(trx, pair, options)
    await recordSecurityEvent(trx, { kind: 'log_in_failed', ...whose })
    if (next_wait_s === 0 && failures !== options.networkFailuresMax) return
    await recordSecurityEvent(trx, { kind: 'log_in_limited', ...whose })
  })
}

function findUser(db: Db, email: string): Promise<User | undefined> {
  return db
    .selectFrom('users')
    .select(userColumns)
    .where(sql`lower(email)`, '=', sql`lower(${email})`)
    .executeTakeFirst()
}

function findWallet(db: Db, user_id: number): Promise<Wallet> {
  return db.selectFrom('wallets').select(walletColumns).where('user_id', '=', user_id).executeTakeFirstOrThrow()
}
