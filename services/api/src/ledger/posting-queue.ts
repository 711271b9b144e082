import { isLockTimeout, isRetryable, isUnavailable, type LedgerTransaction } from '@streamledger/db'
import { backOffMs, sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { ApiError, busy, contended } from '../errors.ts'
import type { PostTransaction } from './decide.ts'
import { createLedgerMemory } from './ledger-memory.ts'
import { createPostTransactions, type PostTransactions, type Settled } from './post-transactions.ts'
import { createWalletTurns, type WalletTurns } from './wallet-turns.ts'

export interface Posted {
  transaction: LedgerTransaction
  /** This trans_id was already recorded: nothing moved now. */
  replayed: boolean
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

/** A posting that is not answered yet. */
interface Entry {
  request: PostTransaction
  /** When it is answered 503 at the latest, on the clock of performance.now(). */
  deadline: number
  /** One row made its batch fail: it is retried in a batch of its own, so that no other request fails with it. */
  alone: boolean
  /** Its batch waited too long for a locked wallet: retries skip locked wallets. */
  impatient: boolean
  /** Why the last try failed, if there was one. */
  failure?: unknown
  resolve(posted: Posted): void
  reject(error: Error): void
}

type Batch = readonly Entry[]

/** What came of a try. */
interface Tried {
  /** One per request of the batch, in its order; empty if the batch failed. */
  settled: readonly Settled[]
  again: readonly Entry[]
  /** How long the requests in `again` wait first. */
  pauseMs: number
  /** One request per written wallet that another replica posts to as well: the other replica goes next. */
  winners: readonly Entry[]
}

const NO_OBSERVER: PostingObserver = { replayed() {}, returned() {} }
/** The database is down or restarting. */
const UNAVAILABLE_BACK_OFF = { baseMs: 50, maxMs: 500 }
/** Another transaction holds the lock of a wallet: an immediate retry would find it still held. */
const LOCKED_BACK_OFF = { baseMs: 20, maxMs: 20 }
/** When a batch takes longer than this, the postings behind it no longer wait for it and start a batch of their own. */
const LATE_MS = 20
const OVERDUE_INTERVAL_MS = 100

/**
 * Collects the requests that arrive while a batch is being committed, so that they share the next commit. A request
 * waits, is part of a batch, and is answered, or waits again. Requests are taken in the order of their arrival, and a
 * user's are in one batch at a time, which keeps their order.
 */
export class PostingQueue {
  readonly #options: PostingOptions
  readonly #observer: PostingObserver
  readonly #postTransactions: PostTransactions
  readonly #turns: WalletTurns
  readonly #overdueTimer: NodeJS.Timeout
  #waiting: Entry[] = []
  /** Users whose requests wait for one that is under way. */
  readonly #held = new Set<number>()
  /** The batches under way, and when they were sent. */
  readonly #batches = new Map<Batch, number>()
  /** Requests whose retry is delayed. */
  readonly #paused = new Set<Batch>()
  /** Tries in a row that found the database unavailable. */
  #failures = 0
  #closing: { promise: Promise<void>; resolve: () => void } | undefined

  constructor(pool: Pool, options: PostingOptions, observer = NO_OBSERVER) {
    const memory = createLedgerMemory()
    this.#options = options
    this.#observer = observer
    this.#postTransactions = createPostTransactions(pool, memory)
    this.#turns = createWalletTurns(pool, memory)
    this.#overdueTimer = setInterval(() => this.#refuseOverdue(), OVERDUE_INTERVAL_MS).unref()
  }

  /** @throws ApiError with the reason why there is no transaction. */
  post(request: PostTransaction): Promise<Posted> {
    return new Promise((resolve, reject) => {
      if (this.isFull) return reject(busy)
      const deadline = performance.now() + this.#options.timeoutMs
      this.#waiting.push({ request, deadline, alone: false, impatient: false, resolve, reject })
      this.#pump()
    })
  }

  /** Whether `post` would refuse at once, so that a caller can refuse before it reads the request body. */
  get isFull(): boolean {
    return this.#waiting.length >= this.#options.waitingMax
  }

  /** How many requests are not part of a batch yet. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** How many requests are not answered yet. */
  get pending(): number {
    let count = this.#waiting.length
    for (const batch of this.#batches.keys()) count += batch.length
    for (const batch of this.#paused) count += batch.length
    return count
  }

  /** Resolves when all accepted requests are answered. */
  async close(): Promise<void> {
    this.#closing ??= Promise.withResolvers<void>()
    this.#pump()
    await this.#closing.promise
    clearInterval(this.#overdueTimer)
  }

  /** The one place where batches start. */
  #pump(): void {
    while (this.#mayBegin()) {
      const batch = this.#take()
      if (batch.length === 0) break
      this.#batches.set(batch, performance.now())
      void this.#commit(batch)
    }
    if (this.pending === 0) this.#closing?.resolve()
  }

  /**
   * A statement costs as much as dozens of rows, so while a batch is under way the next one waits until it would be as
   * large, or until the first one is late.
   */
  #mayBegin(): boolean {
    const waiting = this.#waiting.length
    if (waiting === 0 || this.#batches.size >= this.#options.batchesMax) return false
    const lateSince = performance.now() - LATE_MS
    for (const [batch, sentAt] of this.#batches) if (waiting < batch.length && sentAt > lateSince) return false
    return true
  }

  /** Takes the oldest requests of users that have none under way. */
  #take(): Batch {
    const batch: Entry[] = []
    const rest: Entry[] = []
    const passedOver = new Set<number>()
    for (const entry of this.#waiting) {
      const user = entry.request.user_id
      const fits = batch.length === 0 || (batch.length < this.#options.batchRowsMax && !entry.alone && !batch[0]?.alone)
      if (fits && !this.#held.has(user) && !passedOver.has(user)) batch.push(entry)
      else {
        // A request that is passed over holds back all later ones of the same user.
        passedOver.add(user)
        rest.push(entry)
      }
    }
    this.#waiting = rest
    for (const { request } of batch) this.#held.add(request.user_id)
    return batch
  }

  async #commit(batch: Batch): Promise<void> {
    const sentAt = performance.now()
    const { settled, again, pauseMs, winners } = await this.#try(batch)
    this.#observer.returned(batch.length, performance.now() - sentAt)
    const held = usersOf(pauseMs > 0 ? [...again, ...winners] : winners)
    this.#release(
      batch.filter(({ request }) => !held.has(request.user_id)),
      pauseMs > 0 ? [] : again,
    )
    if (pauseMs > 0) void this.#pause(again, pauseMs)
    for (const winner of winners) void this.#giveTurn(winner)
    this.#batches.delete(batch)
    const answerAll = () => settled.forEach((one, index) => void this.#answer(batch[index] as Entry, one))
    // Send the next batch first, so that the database is not idle while the answers are written.
    if (this.#waiting.length > 0) setImmediate(answerAll)
    else answerAll()
    this.#pump()
  }

  async #try(batch: Batch): Promise<Tried> {
    const skipLocked = batch.some(({ impatient }) => impatient)
    try {
      const requests = batch.map(({ request }) => request)
      const settled = await this.#postTransactions(requests, skipLocked)
      this.#failures = 0
      const conflicted = batch.filter((_, index) => settled[index]?.kind === 'conflicted')
      for (const entry of conflicted) entry.failure = contended
      const again = conflicted.filter(isInTime)
      const pauseMs = skipLocked && again.length > 0 ? backOffMs(1, LOCKED_BACK_OFF) : 0
      return { settled, again, pauseMs, winners: this.#pickWinners(batch, settled) }
    } catch (error) {
      const again = batch.filter((entry) => goesAgain(entry, error, batch.length)).filter(isInTime)
      return { settled: [], again, pauseMs: again.length > 0 ? this.#pauseAfter(error) : 0, winners: [] }
    }
  }

  #pauseAfter(error: unknown): number {
    if (isLockTimeout(error) || !isUnavailable(error)) return 0
    this.#failures += 1
    return backOffMs(this.#failures, UNAVAILABLE_BACK_OFF)
  }

  #pickWinners(batch: Batch, settled: readonly Settled[]): Entry[] {
    const winners = new Map<number, Entry>()
    for (const entry of batch) {
      if (this.#turns.hasRival(entry.request.user_id)) winners.set(entry.request.user_id, entry)
    }
    settled.forEach((one, index) => {
      if (one.kind !== 'conflicted') return
      const { user_id } = (batch[index] as Entry).request
      winners.delete(user_id)
      if (one.outrun) this.#turns.noteRival(user_id)
    })
    return [...winners.values()]
  }

  /** Lets the next requests of these users go, and puts the ones to retry at the front, in their order. */
  #release(entries: Batch, again: Batch): void {
    for (const { request } of entries) this.#held.delete(request.user_id)
    this.#waiting = [...again, ...this.#waiting]
  }

  /** Delays a retry. Later requests of the same users wait behind it; other users' requests go on. */
  async #pause(entries: Batch, ms: number): Promise<void> {
    this.#paused.add(entries)
    await sleep(ms)
    this.#paused.delete(entries)
    this.#release(entries, entries)
    this.#pump()
  }

  /** Holds back further requests for the wallet until the other replica has had its turn. */
  async #giveTurn(winner: Entry): Promise<void> {
    await this.#turns.give(winner.request.user_id)
    this.#release([winner], [])
    this.#pump()
  }

  #refuseOverdue(): void {
    const now = performance.now()
    const isOverdue = ({ deadline }: Entry): boolean => deadline <= now
    const overdue = this.#waiting.filter(isOverdue)
    if (overdue.length > 0) this.#waiting = this.#waiting.filter((entry) => !isOverdue(entry))
    // Do not wait for a statement that hangs. It may still take effect; a retry with the same trans_id finds out.
    const hanging = [...this.#batches.keys(), ...this.#paused].flat().filter(isOverdue)
    for (const entry of [...overdue, ...hanging]) refuse(entry)
    this.#pump()
  }

  /** Answers a request that has an outcome. A conflicted one has none yet, and is tried again. */
  #answer({ resolve, reject }: Entry, settled: Settled): void {
    switch (settled.kind) {
      case 'accepted':
        resolve({ transaction: settled.transaction, replayed: false })
        break
      case 'replayed':
        this.#observer.replayed()
        resolve({ transaction: settled.transaction, replayed: true })
        break
      case 'refused':
        if (settled.replayed) this.#observer.replayed()
        reject(new ApiError(settled.refusal.code, { balance: settled.refusal.balance, replayed: settled.replayed }))
        break
      case 'mismatched':
        reject(new ApiError('trans_id_reused', { fields: settled.fields }))
        break
      case 'wallet_not_found':
      case 'paused':
        reject(new ApiError(settled.kind))
        break
      case 'conflicted':
    }
  }
}

const usersOf = (entries: Batch): Set<number> => new Set(entries.map(({ request }) => request.user_id))

/** Whether a request may be tried again. If its deadline has passed, it is refused instead. */
function isInTime(entry: Entry): boolean {
  if (performance.now() < entry.deadline) return true
  refuse(entry)
  return false
}

function refuse({ failure, reject }: Entry): void {
  if (failure instanceof ApiError) reject(failure)
  else reject(new ApiError('outcome_unknown', {}, { cause: failure }))
}

/** Whether a request is tried again after its whole batch failed. If not, it is answered with the error. */
function goesAgain(entry: Entry, error: unknown, batchSize: number): boolean {
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
