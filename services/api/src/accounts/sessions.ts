import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { type Db, inTransaction, type Trx } from '@streamledger/db'
import { sql } from 'kysely'
import { ApiError } from '../errors.ts'
import { type RequestOrigin, recordSecurityEvent } from '../security-events.ts'

const TOKEN_BYTES = 32

export interface SessionOptions {
  refreshTtlS: number
  refreshGraceMs: number
  /** Counted from the log-in; a refresh does not extend it. */
  sessionTtlS: number
}

export interface RefreshToken {
  token: string
  expires_at: Date
}

/** A refresh token that a client sent, and where that request came from. */
export interface ShownToken {
  token: string
  origin: RequestOrigin
}

export interface RefreshedSession {
  user_id: number
  refresh_token: RefreshToken
}

export interface Beginning {
  kind: 'signed_up' | 'logged_in'
  user_id: number
  origin: RequestOrigin
}

/** Starts a family of refresh tokens. Also deletes the user's families that have no valid token left. */
export async function startSession(
  trx: Trx,
  { kind, user_id, origin }: Beginning,
  options: SessionOptions,
): Promise<RefreshToken> {
  await sql`
    delete from sessions s
     where s.user_id = ${user_id}
       and not exists (select from refresh_tokens t where t.session_id = s.id and t.expires_at > now())`.execute(trx)
  const id = randomUUID()
  await trx.insertInto('sessions').values({ id, user_id, revoked_at: null }).execute()
  await recordSecurityEvent(trx, { kind, user_id, subject: id, origin })
  return issueRefreshToken(trx, id, options)
}

/**
 * Exchanges a refresh token for the next one of its family.
 *
 * A used token that comes again may come from a thief or from its owner, so the whole family is revoked. Within the
 * grace period it is taken for a client that lost the answer, and gets another token: a sibling of the lost one. The
 * first of the siblings to be used ends the others, and an ended token counts as a used one. So there is one token at
 * a time to go on with, and if a thief has one and the owner another, the second of the two to be used revokes both.
 *
 * @throws ApiError `refresh_token_invalid`
 */
export async function refreshSession(db: Db, shown: ShownToken, options: SessionOptions): Promise<RefreshedSession> {
  const hash = hashOf(shown.token)
  const refreshed = await inTransaction(db, async (trx) => {
    const known = await lockToken(trx, hash, options)
    if (!known) return undefined
    const kind = judge(known)
    await recordSecurityEvent(trx, { kind, user_id: known.user_id, subject: known.session_id, origin: shown.origin })
    if (kind === 'refresh_reused') await revokeFamily(trx, known.session_id)
    if (kind !== 'refreshed') return undefined
    if (!known.used) await useUp(trx, known.session_id, hash)
    return { user_id: known.user_id, refresh_token: await issueRefreshToken(trx, known.session_id, options) }
  })
  // Thrown outside the transaction: inside, it would roll the revocation back.
  if (!refreshed) throw new ApiError('refresh_token_invalid')
  return refreshed
}

/** Ends the family of a refresh token. Does nothing if the token is unknown or its family has already ended. */
export async function endSession(db: Db, { token, origin }: ShownToken): Promise<void> {
  await inTransaction(db, async (trx) => {
    const ended = await trx
      .updateTable('sessions')
      .set({ revoked_at: sql<Date>`now()` })
      .where('revoked_at', 'is', null)
      .where('id', '=', (eb) => eb.selectFrom('refresh_tokens').select('session_id').where('hash', '=', hashOf(token)))
      .returning(['id', 'user_id'])
      .executeTakeFirst()
    if (!ended) return
    await recordSecurityEvent(trx, { kind: 'logged_out', user_id: ended.user_id, subject: ended.id, origin })
  })
}

interface KnownToken {
  session_id: string
  user_id: number
  dead: boolean
  used: boolean
  in_grace: boolean
}

/**
 * Locks the family: of two refreshes in it, the second waits. It reads in a statement of its own, which therefore sees
 * all that the first has written. The grace period is measured with clock_timestamp(), not now(): the second
 * transaction may have begun before the first, so used_at may be later than its now(). A used_at in the future is taken
 * for the present: the column rounds to milliseconds, so the first may have written a moment that is yet to come.
 *
 * There is no grace for a token when a later one of its family was used: its client did get an answer.
 */
async function lockToken(trx: Trx, hash: Buffer, options: SessionOptions): Promise<KnownToken | undefined> {
  await sql`
    select from sessions where id = (select session_id from refresh_tokens where hash = ${hash}) for update`.execute(
    trx,
  )
  const { rows } = await sql<KnownToken>`
    select s.id as session_id, s.user_id,
           s.revoked_at is not null or t.expires_at <= now()
             -- Needed for tokens that were issued while SESSION_TTL_S was longer: they may outlive their session.
             or s.created_at + ${options.sessionTtlS}::float8 * interval '1 s' <= now() as dead,
           t.used_at is not null as used,
           t.used_at is not null
             and least(t.used_at, clock_timestamp()) > clock_timestamp() - ${options.refreshGraceMs}::float8 * interval '1 ms'
             and not exists (select from refresh_tokens n where n.session_id = s.id and n.used_at > t.used_at) as in_grace
      from sessions s join refresh_tokens t on t.session_id = s.id
     where t.hash = ${hash}`.execute(trx)
  return rows[0]
}

function judge({ dead, used, in_grace }: KnownToken): 'refreshed' | 'refresh_refused' | 'refresh_reused' {
  if (dead) return 'refresh_refused'
  return used && !in_grace ? 'refresh_reused' : 'refreshed'
}

async function revokeFamily(trx: Trx, session_id: string): Promise<void> {
  await trx.updateTable('sessions').set({ revoked_at: sql<Date>`now()` }).where('id', '=', session_id).execute()
}

/**
 * Marks a token as used, and ends its siblings: the other tokens of the family that are not used. Their used_at is
 * before any time, so no grace period holds for them. In a family used_at rises with each use, also within a
 * millisecond, and if the clock was set back.
 */
async function useUp(trx: Trx, session_id: string, hash: Buffer): Promise<void> {
  await sql`
    with last as (select max(used_at) as used_at from refresh_tokens where session_id = ${session_id})
    update refresh_tokens t
       set used_at = case when t.hash = ${hash} then greatest(clock_timestamp(), last.used_at + interval '1 ms')
                          else '-infinity' end
      from last
     where t.session_id = ${session_id} and t.used_at is null`.execute(trx)
}

async function issueRefreshToken(trx: Trx, session_id: string, options: SessionOptions): Promise<RefreshToken> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  // Each new token removes the family's expired ones, so that the family stays small.
  await sql`delete from refresh_tokens where session_id = ${session_id} and expires_at <= now()`.execute(trx)
  const { expires_at } = await trx
    .insertInto('refresh_tokens')
    .values({
      hash: hashOf(token),
      session_id,
      expires_at: sql<Date>`(
        select least(now() + ${options.refreshTtlS}::float8 * interval '1 s',
                     created_at + ${options.sessionTtlS}::float8 * interval '1 s')
          from sessions where id = ${session_id})`,
      used_at: null,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow()
  return { token, expires_at }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
