import { isLockTimeout, isRetryable, isUnavailable, type LedgerTransaction } from '@streamledger/db'
import { backOffMs, sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { createBatches } from './batches.ts'
import type { PostTransaction } from './decide.ts'
import { busy, contended, LedgerError } from './errors.ts'
import { createLedgerMemory } from './ledger-memory.ts'
import { createPostTransactions, type PostTransactions, type Settled } from './post-transactions.ts'
import { createWaitingRoom, type Waiting } from './waiting-room.ts'
import { createWalletTurns, type WalletTurns } from './wallet-turns.ts'

export type { PostTransaction } from './decide.ts'

export interface Posted {
  transaction: LedgerTransaction
  /** This trans_id was already recorded: nothing moved now. */
  replayed: boolean
}

export interface Posting {
  /** @throws LedgerError with the reason why there is no transaction. */
  post(request: PostTransaction): Promise<Posted>
  /** Whether `post` would refuse at once, so that a caller can refuse before it reads the request body. */
  isFull(): boolean
  /** How many requests are not answered yet. */
  pending(): number
  /** How many of them are not part of a batch yet. */
  waiting(): number
  /** Resolves when all accepted requests are answered. */
  close(): Promise<void>
}

export interface PostingOptions {
  /** Maximum batches under way at once. With two, one is decided while the other's commit is flushed. */
  batchesMax: number
  batchRowsMax: number
  /** Maximum requests in the queue. One more is refused at once, which is better than a timeout later. */
  waitingMax: number
  /** How long a posting may take, including retries, before it is answered 503. */
  timeoutMs: number
}

/** Metrics callbacks; called for every posting, so keep them cheap. */
export interface PostingObserver {
  /** A recorded trans_id came again and got the recorded answer. */
  replayed(): void
  /** A batch has returned from the database, written or not. */
  returned(rows: number, durationMs: number): void
}

const NO_OBSERVER: PostingObserver = { replayed() {}, returned() {} }

interface Attempt {
  settled: Settled[]
  again: Waiting[]
  /** How long the requests in `again` wait first. */
  pauseMs: number
  /** One request per written wallet that another replica posts to as well: the other replica goes next. */
  winners: Waiting[]
}

/** The database is down or restarting. */
const UNAVAILABLE_BACK_OFF = { baseMs: 50, maxMs: 500 }
/** Another transaction holds the lock of a wallet: an immediate retry would find it still held. */
const LOCKED_BACK_OFF = { baseMs: 20, maxMs: 20 }
const OVERDUE_INTERVAL_MS = 100

/** Collects the requests that arrive while a batch is being committed, so that they share the next commit. */
export function createPosting(pool: Pool, options: PostingOptions, observer: PostingObserver = NO_OBSERVER): Posting {
  const memory = createLedgerMemory()
  const turns = createWalletTurns(pool, memory)
  const attempt = createAttempt(createPostTransactions(pool, memory), turns)
  const room = createWaitingRoom(options.waitingMax)
  const batches = createBatches(options.batchesMax)
  const paused = new Set<readonly Waiting[]>()
  let closed: (() => void) | undefined
  let closing: Promise<void> | undefined

  const overdueTimer = setInterval(refuseOverdue, OVERDUE_INTERVAL_MS).unref()

  function pump(): void {
    while (batches.mayBegin(room.size)) {
      const batch = room.take(options.batchRowsMax)
      if (batch.length === 0) break
      batches.add(batch)
      void commit(batch)
    }
    if (pending() === 0) closed?.()
  }

  const pending = (): number => room.size + countOf(batches.all()) + countOf(paused)

  async function commit(batch: readonly Waiting[]): Promise<void> {
    const sentAt = performance.now()
    const { settled, again, pauseMs, winners } = await attempt(batch)
    observer.returned(batch.length, performance.now() - sentAt)
    const held = usersOf(pauseMs > 0 ? [...again, ...winners] : winners)
    room.giveBack(
      batch.filter(({ request }) => !held.has(request.user_id)),
      pauseMs > 0 ? [] : again,
    )
    if (pauseMs > 0) void pause(again, pauseMs)
    for (const winner of winners) void giveTurn(winner)
    batches.delete(batch)
    const answerAll = () => settled.forEach((one, index) => void answer(batch[index] as Waiting, one, observer))
    // Send the next batch first, so that the database is not idle while the answers are written.
    if (room.size > 0) setImmediate(answerAll)
    else answerAll()
    pump()
  }

  /** Delays a retry. Later requests of the same users wait behind it; other users' requests go on. */
  async function pause(entries: readonly Waiting[], ms: number): Promise<void> {
    paused.add(entries)
    await sleep(ms)
    paused.delete(entries)
    room.giveBack(entries, entries)
    pump()
  }

  /** Holds back further requests for the wallet until the other replica has had its turn. */
  async function giveTurn(winner: Waiting): Promise<void> {
    await turns.give(winner.request.user_id)
    room.giveBack([winner], [])
    pump()
  }

  function refuseOverdue(): void {
    const now = performance.now()
    for (const entry of room.takeOverdue(now)) refuse(entry)
    // Do not wait for a statement that hangs. It may still take effect; a retry with the same trans_id finds out.
    for (const entry of [...batches.all(), ...paused].flat()) if (entry.deadline <= now) refuse(entry)
    pump()
  }

  return {
    post: (request) =>
      new Promise((resolve, reject) => {
        if (room.isFull) return reject(busy)
        const deadline = performance.now() + options.timeoutMs
        room.add({ request, deadline, alone: false, impatient: false, resolve, reject })
        pump()
      }),
    isFull: () => room.isFull,
    pending,
    waiting: () => room.size,
    close: () => {
      closing ??= new Promise<void>((resolve) => {
        closed = resolve
        pump()
      }).finally(() => clearInterval(overdueTimer))
      return closing
    },
  }
}

function createAttempt(postTransactions: PostTransactions, turns: WalletTurns) {
  let failures = 0

  /** Tries a batch. Returns the outcomes, in its order, and the requests that must be tried again. */
  return async (batch: readonly Waiting[]): Promise<Attempt> => {
    const impatient = batch.some((entry) => entry.impatient)
    try {
      const requests = batch.map(({ request }) => request)
      const settled = await postTransactions(requests, { skipLocked: impatient })
      failures = 0
      const conflicted = batch.filter((_, index) => settled[index]?.kind === 'conflicted')
      for (const entry of conflicted) entry.failure = contended
      const again = conflicted.filter(isInTime)
      const winners = pickWinners(batch, settled)
      return { settled, again, pauseMs: impatient && again.length > 0 ? backOffMs(1, LOCKED_BACK_OFF) : 0, winners }
    } catch (error) {
      const again = batch.filter((entry) => goesAgain(entry, error, batch.length)).filter(isInTime)
      return { settled: [], again, pauseMs: again.length > 0 ? pauseAfter(error) : 0, winners: [] }
    }
  }

  function pauseAfter(error: unknown): number {
    if (isLockTimeout(error) || !isUnavailable(error)) return 0
    failures += 1
    return backOffMs(failures, UNAVAILABLE_BACK_OFF)
  }

  function pickWinners(batch: readonly Waiting[], settled: readonly Settled[]): Waiting[] {
    const winners = new Map<number, Waiting>()
    for (const entry of batch) if (turns.hasRival(entry.request.user_id)) winners.set(entry.request.user_id, entry)
    settled.forEach((one, index) => {
      if (one.kind !== 'conflicted') return
      const { user_id } = (batch[index] as Waiting).request
      winners.delete(user_id)
      if (one.outrun) turns.noteRival(user_id)
    })
    return [...winners.values()]
  }
}

const usersOf = (entries: readonly Waiting[]): Set<number> => new Set(entries.map(({ request }) => request.user_id))

function countOf(batches: Iterable<readonly Waiting[]>): number {
  let count = 0
  for (const batch of batches) count += batch.length
  return count
}

/** Whether a request may be tried again. If its deadline has passed, it is refused instead. */
function isInTime(entry: Waiting): boolean {
  if (performance.now() < entry.deadline) return true
  refuse(entry)
  return false
}

function refuse({ failure, reject }: Waiting): void {
  if (failure instanceof LedgerError) reject(failure)
  else reject(new LedgerError('outcome_unknown', {}, { cause: failure }))
}

/** Whether a request is tried again after its whole batch failed. If not, it is answered with the error. */
function goesAgain(entry: Waiting, error: unknown, batchSize: number): boolean {
  entry.failure = error
  if (isLockTimeout(error)) entry.impatient = true
  // Safe even if the outcome of the commit is unknown: the retry sees what was recorded.
  if (isRetryable(error) || isUnavailable(error)) return true
  if (batchSize > 1) {
    entry.alone = true
    return true
  }
  entry.reject(error as Error)
  return false
}

/** Answers a request that has an outcome. A conflicted one has none yet, and is tried again. */
function answer({ resolve, reject }: Waiting, settled: Settled, observer: PostingObserver): void {
  switch (settled.kind) {
    case 'accepted':
      resolve({ transaction: settled.transaction, replayed: false })
      break
    case 'replayed':
      observer.replayed()
      resolve({ transaction: settled.transaction, replayed: true })
      break
    case 'refused':
      if (settled.replayed) observer.replayed()
      reject(new LedgerError(settled.refusal.code, { balance: settled.refusal.balance, replayed: settled.replayed }))
      break
    case 'mismatched':
      reject(new LedgerError('trans_id_reused', { fields: settled.fields }))
      break
    case 'wallet_not_found':
    case 'paused':
      reject(new LedgerError(settled.kind))
      break
    case 'conflicted':
  }
}
