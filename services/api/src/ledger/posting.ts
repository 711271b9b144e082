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
  /** This trans_id was already recorded: nothing happened now. */
  replayed: boolean
}

export interface Posting {
  /** @throws LedgerError with the reason why there is no transaction. */
  post(request: PostTransaction): Promise<Posted>
  /** Whether `post` would refuse at once: whoever asks first need not read a request that has no place. */
  isFull(): boolean
  /** How many requests wait or are under way. */
  pending(): number
  /** How many of them wait for a place in a batch. */
  waiting(): number
  /** Resolves when everything that was accepted for posting is answered. */
  close(): Promise<void>
}

export interface PostingOptions {
  /** Batches under way at once. With two, one is decided while the other's commit is flushed. */
  batchesMax: number
  batchRowsMax: number
  /** The waiting room: one more is refused at once, which is kinder than a time-out later. */
  waitingMax: number
  /** How long a posting may take, tries and all, before it is answered 503. */
  timeoutMs: number
}

/** Is told what a metric may count. It is told for every posting, so it only counts. */
export interface PostingObserver {
  /** A trans_id came again, and was answered as before. */
  replayed(): void
  /** A batch is back from the database, written or not. */
  returned(rows: number, durationMs: number): void
}

const NOBODY: PostingObserver = { replayed() {}, returned() {} }

interface Attempt {
  settled: Settled[]
  again: Waiting[]
  /** How long those that go again wait. */
  pauseMs: number
  /** One of each wallet that was written and that another replica writes, too: it is the other's turn. */
  winners: Waiting[]
}

/** The database is down or restarting. */
const UNAVAILABLE_BACK_OFF = { baseMs: 50, maxMs: 500 }
/** Somebody holds the wallet's lock: who goes again at once finds it still held. */
const LOCKED_BACK_OFF = { baseMs: 20, maxMs: 20 }
const OVERDUE_INTERVAL_MS = 100

/** Gathers the requests that arrive while a batch is being committed, so that they share the next commit. */
export function createPosting(pool: Pool, options: PostingOptions, observer: PostingObserver = NOBODY): Posting {
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
    // The next batch goes on its way first: while so many answers are written, the database shall not stand idle.
    if (room.size > 0) setImmediate(answerAll)
    else answerAll()
    pump()
  }

  /** Nobody younger may pass those who go again; everyone else goes on. */
  async function pause(entries: readonly Waiting[], ms: number): Promise<void> {
    paused.add(entries)
    await sleep(ms)
    paused.delete(entries)
    room.giveBack(entries, entries)
    pump()
  }

  /** Holds back what else comes for the wallet. */
  async function giveTurn(winner: Waiting): Promise<void> {
    await turns.give(winner.request.user_id)
    room.giveBack([winner], [])
    pump()
  }

  function refuseOverdue(): void {
    const now = performance.now()
    for (const entry of room.takeOverdue(now)) refuse(entry)
    // A statement that hangs is not waited for. It may still take effect: the same trans_id again tells.
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

  /** Tries a batch, and tells what is settled, in its order, and what goes again. */
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

/** One whose time is up is answered instead of tried again. */
function isInTime(entry: Waiting): boolean {
  if (performance.now() < entry.deadline) return true
  refuse(entry)
  return false
}

function refuse({ failure, reject }: Waiting): void {
  if (failure instanceof LedgerError) reject(failure)
  else reject(new LedgerError('outcome_unknown', {}, { cause: failure }))
}

/** Whether a request of a batch that failed as a whole is tried again; if not, it is answered with the failure. */
function goesAgain(entry: Waiting, error: unknown, batchSize: number): boolean {
  entry.failure = error
  if (isLockTimeout(error)) entry.impatient = true
  // Also when the commit's outcome is unknown: the next read sees what was recorded, so trying again is safe.
  if (isRetryable(error) || isUnavailable(error)) return true
  if (batchSize > 1) {
    entry.alone = true
    return true
  }
  entry.reject(error as Error)
  return false
}

/** Answers a request that is settled; one whose wallet moved on is not. */
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
      reject(new LedgerError(settled.refusal.code, { balance: settled.refusal.balance }))
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
