import { setTimeout as delay } from 'node:timers/promises'
import { withTransaction } from '@streamledger/db'
import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import { NEXT_GENERATION } from './next-generation.ts'

/** Postings wait meanwhile, so this is short; a reader that holds the table longer is waited for between two tries. */
const LOCK_TIMEOUT_MS = 500
const ATTEMPTS_MAX = 20
const BETWEEN_ATTEMPTS_MS = 1_000
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Pauses posting: when this has resolved, nobody writes to the ledger or the outbox any more.
 *
 * A statement that posts looks at the topic's row, so it holds the table's lock until it has ended, and took that lock
 * before its snapshot. Having had the table alone, this knows that all who saw the topic unpaused have ended, and that all
 * who come later see it paused. (`pg_snapshot_xmin` would not tell: a statement with an old snapshot that has written
 * nothing yet has no transaction id, and draws one that is newer than the pause.)
 *
 * @throws CliError `unsuitable` when somebody else has paused it; `unavailable` when the lock can't be had.
 */
export async function pausePosting(pool: Pool, reason: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await pauseOnce(pool, reason)
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error
      if (attempt >= ATTEMPTS_MAX) {
        const text = `Somebody holds the table "topic" (select * from pg_locks where relation = 'topic'::regclass), a backup perhaps: posting was not paused. Try again when it has ended.`
        throw new CliError('unavailable', text, { cause: error })
      }
      await delay(BETWEEN_ATTEMPTS_MS)
    }
  }
}

async function pauseOnce(pool: Pool, reason: string): Promise<void> {
  await withTransaction(pool, async (client) => {
    await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await client.query('lock table topic in access exclusive mode')
    const { rows } = await client.query<{ paused: boolean; paused_reason: string | null }>('select * from topic')
    const [topic] = rows
    if (topic?.paused && topic.paused_reason !== reason) throw refuse(topic.paused_reason, reason)
    await client.query(`update topic set paused = true, paused_reason = $1, generation = ${NEXT_GENERATION}`, [reason])
  })
}

function refuse(why: string | null, reason: string): CliError {
  const text = `Posting is paused already, for other work (${why ?? 'nobody said why'}). Finish that first; this would be "${reason}".`
  return new CliError('unsuitable', text)
}

/** Lets posting go on, if it is paused for this reason. */
export async function unpausePosting(pool: Pool, reason: string): Promise<void> {
  await pool.query(
    `update topic set paused = false, paused_reason = null, generation = ${NEXT_GENERATION} where paused and paused_reason = $1`,
    [reason],
  )
}
