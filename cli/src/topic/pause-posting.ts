import { setTimeout as delay } from 'node:timers/promises'
import { withTransaction } from '@streamledger/db'
import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import { NEXT_GENERATION } from './next-generation.ts'

/** Short, since postings wait during an attempt. For a reader that holds the table longer, there are further attempts. */
const LOCK_TIMEOUT_MS = 500
const ATTEMPTS_MAX = 20
const BETWEEN_ATTEMPTS_MS = 1_000
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Pauses posting: after this resolves, nothing writes to the ledger or the outbox any more.
 *
 * A statement that posts reads the topic's row, so it holds a lock on the table until it ends, and takes that lock before
 * its snapshot. This function locks the table exclusively. So every statement that saw the topic unpaused has ended, and
 * every later one sees it paused. (`pg_snapshot_xmin` would not show this: a statement with an old snapshot that has
 * written nothing yet has no transaction id, and later gets one that is newer than the pause.)
 *
 * @throws CliError `unsuitable` if posting is paused for another reason; `unavailable` if the lock cannot be taken.
 */
export async function pausePosting(pool: Pool, reason: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await pauseOnce(pool, reason)
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error
      if (attempt >= ATTEMPTS_MAX) {
        const text = `Another session holds the table "topic" (select * from pg_locks where relation = 'topic'::regclass), for example a backup. Posting was not paused. Try again after it has ended.`
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
  const text = `Posting is paused already, for other work (${why ?? 'no reason is recorded'}). Finish that first; this command would pause it for "${reason}".`
  return new CliError('unsuitable', text)
}

/** Continues posting, if it is paused for this reason. */
export async function unpausePosting(pool: Pool, reason: string): Promise<void> {
  await pool.query(
    `update topic set paused = false, paused_reason = null, generation = ${NEXT_GENERATION} where paused and paused_reason = $1`,
    [reason],
  )
}
