import type { Pool } from 'pg'
import { type PostTransaction, repeat } from './decide.ts'
import { type DecidedBatch, type Decision, decideBatch } from './decide-batch.ts'
import type { LedgerMemory } from './ledger-memory.ts'
import { type LedgerRead, type RequestRead, readLedger } from './read-ledger.ts'
import { createTransactionIds } from './transaction-ids.ts'
import { createVouch } from './vouch.ts'
import { type LedgerWritten, writeLedger } from './write-ledger.ts'

/**
 * Per request: its outcome, or that there is no wallet, or that the topic is paused, or that it must be decided again
 * because nothing was written for its wallet. `outrun`: another replica wrote the wallet meanwhile.
 */
export type Settled = Decision['decided'] | { kind: 'conflicted'; outrun: boolean }

/**
 * Posts a list of requests in one commit and returns one outcome per request, in their order. Two calls at the same
 * time must not have a user in common. With `skipLocked`, the requests of a locked wallet are conflicted.
 */
export type PostTransactions = (requests: readonly PostTransaction[], skipLocked: boolean) => Promise<Settled[]>

/** The longest POSTING_TIMEOUT_MS: each posting has a deadline of its own. */
const VOUCH_TIMEOUT_MS = 60_000
const NOTHING: LedgerWritten = { unwritten: new Map(), recorded: new Map() }

/**
 * A batch is decided on the wallets as this replica remembers them; unknown ones are read first. One statement writes
 * it, and takes effect for the wallets that have not changed since. No lock is held between two statements, so a
 * replica that stops there blocks no other.
 */
export function createPostTransactions(pool: Pool, memory: LedgerMemory): PostTransactions {
  const ids = createTransactionIds(pool)
  const vouch = createVouch((statement) => pool.query(statement), { timeoutMs: VOUCH_TIMEOUT_MS })

  async function read(requests: readonly PostTransaction[]): Promise<LedgerRead> {
    const { topic, wallets } = memory.take(requests)
    const unknown = requests.filter(({ user_id }) => !wallets.has(user_id))
    if (topic && unknown.length === 0) return { topic, requests: recall(requests), synchronous: false }
    const ledger = await readLedger(pool, unknown)
    // A pause refuses only new requests. Every trans_id must be looked up, because recorded ones are answered as
    // before.
    if (ledger.topic.paused && unknown.length < requests.length) return readLedger(pool, requests)
    const found = ledger.requests.values()
    return { ...ledger, requests: recall(requests, () => found.next().value as RequestRead) }

    function recall(requests: readonly PostTransaction[], otherwise?: () => RequestRead): RequestRead[] {
      return requests.map(({ user_id }) => {
        const wallet = wallets.get(user_id)
        return !wallet && otherwise ? otherwise() : { wallet, recorded: undefined }
      })
    }
  }

  return async (requests, skipLocked) => {
    const ledger = await read(requests)
    const drawn = await ids.take(requests.length, ledger.topic.generation)
    const batch = decideBatch(ledger, requests, { now: new Date(), ids: drawn })
    // The one commit.
    const written = batch.write.entries.length > 0 ? await writeLedger(pool, batch.write, skipLocked) : NOTHING
    if (isReadAlone(ledger, batch, written)) await vouch()
    const settled = batch.decisions.map((decision) => settle(decision, written))
    memory.learn(ledger, batch.write, written)
    return settled
  }
}

/**
 * Whether a recorded outcome was found, and no commit came after that. A commit would have waited for a standby, if
 * commits do, and with it the outcome.
 */
function isReadAlone({ synchronous, requests }: LedgerRead, { write }: DecidedBatch, written: LedgerWritten): boolean {
  // A lock on a wallet's row is written to the WAL, also if the wallet is left as it is.
  const isCommitted = write.wallets.some(({ after }) => !isSkipped(written, after.id))
  if (isCommitted) return false
  return written.recorded.size > 0 || (synchronous && requests.some(({ recorded }) => recorded))
}

/** Another transaction held the wallet's lock. */
const isSkipped = ({ unwritten }: LedgerWritten, id: number): boolean =>
  unwritten.has(id) && unwritten.get(id) === undefined

function settle({ request, decided, wallet, place }: Decision, written: LedgerWritten): Settled {
  if (!wallet || !written.unwritten.has(wallet.id)) return decided
  const recorded = place === undefined ? undefined : written.recorded.get(place)
  if (recorded) return repeat(recorded, request)
  const now = written.unwritten.get(wallet.id)
  return { kind: 'conflicted', outrun: now !== undefined && now.version !== wallet.version }
}
