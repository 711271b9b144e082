import { type Db, inTransaction, type User, userColumns, type Wallet, walletColumns } from '@streamledger/db'
import { sql } from 'kysely'
import { type RequestOrigin, recordSecurityEvent } from '../security-events.ts'
import { AccountError } from './errors.ts'
import { admitLogIn, countFailure, type LogInCountsOptions, type LogInPair, welcome } from './log-in-counts.ts'
import { startSession } from './sessions.ts'
import type { AccountDeps, SignedIn } from './sign-up.ts'

export interface LogIn {
  email: string
  password: string
}

/**
 * Starts a session for whoever knows the password. Unknown address and wrong password cost and answer the same.
 *
 * @throws AccountError `credentials_invalid`, `log_in_limited`, `sign_in_busy`
 */
export async function logIn(deps: AccountDeps, request: LogIn, origin: RequestOrigin): Promise<SignedIn> {
  const { db, sessions, logInCounts } = deps
  const { user, rehashed } = await checkPassword(deps, request, origin)
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
    await welcome(trx, { email: request.email, network: origin.network }, logInCounts)
    const wallet = await findWallet(trx, user.id)
    const refresh_token = await startSession(trx, { kind: 'logged_in', user_id: user.id, origin }, sessions)
    return { user, wallet, refresh_token }
  })
}

interface Checked {
  user: User
  /** Where the hash was made with other parameters than today's. */
  rehashed: string | undefined
}

/** A turn to hash comes first: a flood waits, or is sent away, before it costs the database anything. */
function checkPassword(
  { db, passwords, logInCounts }: AccountDeps,
  { email, password }: LogIn,
  origin: RequestOrigin,
): Promise<Checked> {
  const pair = { email, network: origin.network }
  return passwords.inTurn(async (turn) => {
    const next_wait_s = await admitLogIn(db, pair, logInCounts)
    const user = await findUser(db, email)
    const isRight = await turn.verify(password, user?.password)
    if (!user || !isRight) {
      await fail(db, { pair, user_id: user?.id ?? null, next_wait_s, origin }, logInCounts)
      throw new AccountError('credentials_invalid')
    }
    return { user, rehashed: passwords.isOutdated(user.password) ? await turn.rehash(password) : undefined }
  })
}

interface Failure {
  pair: LogInPair
  user_id: number | null
  next_wait_s: number
  origin: RequestOrigin
}

/** That log-ins are limited from now on is told with the failure that did it: refusals, as many as they may be, are not. */
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
