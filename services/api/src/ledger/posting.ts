import { isRetryable, isUnavailable, type LedgerTransaction } from '@streamledger/db'
import type { Pool } from 'pg'
import type { PostTransaction } from './decide.ts'
import { LedgerError } from './errors.ts'
import { postTransactions, type Settled } from './post-transactions.ts'

export type { PostTransaction } from './decide.ts'

export interface Posted {
  transaction: LedgerTransaction
  /** This trans_id was already recorded: nothing happened now. */
  replayed: boolean
}

export interface Posting {
  /** @throws LedgerError with the reason why there is no transaction. */
  post(request: PostTransaction): Promise<Posted>
  /** How many requests wait or are under way. */
  pending(): number
  /** Resolves when everything that was accepted for posting is answered. */
  close(): Promise<void>
}

export interface PostingOptions {
  /** Batches under way at once. With two, one is decided while the other's commit is flushed. */
  batchesMax: number
  batchRowsMax: number
  /** The waiting room: one more is refused at once, which is kinder than a time-out later. */
  waitingMax: number
  /** How often a request is tried when its wallet moved on or the database failed. */
  attemptsMax: number
}

interface Waiting {
  request: PostTransaction
  attempts: number
  /** Its batch failed for a reason of one row in it: it goes by itself, so that nobody fails for a neighbour. */
  alone: boolean
  resolve(posted: Posted): void
  reject(error: Error): void
}

/** Gathers the requests that arrive while a batch is being committed, so that they share the next commit. */
export function createPosting(pool: Pool, options: PostingOptions): Posting {
  let waiting: Waiting[] = []
  let batches = 0
  /** Users with a request in a batch under way: their next ones wait for it, which keeps their order. */
  const underway = new Set<number>()
  let inBatches = 0
  let idle: (() => void) | undefined

  function pump(): void {
    while (batches < options.batchesMax && waiting.length > 0) {
      const batch = takeBatch()
      if (batch.length === 0) return
      batches += 1
      void commit(batch)
    }
    if (batches === 0 && waiting.length === 0) idle?.()
  }

  function takeBatch(): Waiting[] {
    const batch: Waiting[] = []
    const held = new Set<number>()
    const rest: Waiting[] = []
    for (const entry of waiting) {
      const user = entry.request.user_id
      const fits = batch.length < options.batchRowsMax && (batch.length === 0 || !(entry.alone || batch[0]?.alone))
      if (fits && !underway.has(user) && !held.has(user)) batch.push(entry)
      else {
        // Whoever is passed over holds back everyone of the same user behind it.
        held.add(user)
        rest.push(entry)
      }
    }
    waiting = rest
    for (const { request } of batch) underway.add(request.user_id)
    inBatches += batch.length
    return batch
  }

  async function commit(batch: Waiting[]): Promise<void> {
    let again: Waiting[]
    try {
      const settled = await postTransactions(
        pool,
        batch.map(({ request }) => request),
      )
      again = batch.filter((entry, index) => !answer(entry, settled[index] as Settled))
    } catch (error) {
      again = batch.filter((entry) => !giveUp(entry, error, batch.length))
    }
    for (const { request } of batch) underway.delete(request.user_id)
    inBatches -= batch.length
    // At the front, in their order: what arrived first is decided first.
    waiting = [...again.filter(countAttempt), ...waiting]
    batches -= 1
    pump()
  }

  /** Another try, unless the bound is reached. */
  function countAttempt(entry: Waiting): boolean {
    entry.attempts += 1
    if (entry.attempts < options.attemptsMax) return true
    entry.reject(new LedgerError('busy'))
    return false
  }

  /** Whether a request of a batch that failed as a whole was answered with that failure. */
  function giveUp(entry: Waiting, error: unknown, batchSize: number): boolean {
    if (isRetryable(error) || isUnavailable(error)) {
      // Also when the commit's outcome is unknown: the next read sees what was recorded, so trying again is safe.
      if (entry.attempts + 1 < options.attemptsMax) return false
      entry.reject(new LedgerError('outcome_unknown', {}, { cause: error }))
      return true
    }
    if (batchSize > 1) {
      entry.alone = true
      return false
    }
    entry.reject(error as Error)
    return true
  }

  return {
    post: (request) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= options.waitingMax) return reject(new LedgerError('busy'))
        waiting.push({ request, attempts: 0, alone: false, resolve, reject })
        pump()
      }),
    pending: () => waiting.length + inBatches,
    close: () =>
      new Promise((resolve) => {
        idle = resolve
        pump()
      }),
  }
}

/** Answers a request that is settled; one whose wallet moved on is not. */
function answer({ resolve, reject }: Waiting, settled: Settled): boolean {
  switch (settled.kind) {
    case 'accepted':
      resolve({ transaction: settled.transaction, replayed: false })
      return true
    case 'replayed':
      resolve({ transaction: settled.transaction, replayed: true })
      return true
    case 'refused':
      reject(new LedgerError(settled.refusal.code, { balance: settled.refusal.balance }))
      return true
    case 'mismatched':
      reject(new LedgerError('trans_id_reused', { fields: settled.fields }))
      return true
    case 'wallet_not_found':
    case 'paused':
      reject(new LedgerError(settled.kind))
      return true
    case 'conflicted':
      return false
  }
}
