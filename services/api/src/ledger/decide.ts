import type { Entry, LedgerTransaction, RefusalCode } from '@streamledger/db'
import type { TraceContext } from '@streamledger/tracing'

/** The largest balance, in kobo: the largest integer that a JavaScript number holds exactly. */
export const BALANCE_MAX = Number.MAX_SAFE_INTEGER

export interface PostTransaction {
  user_id: number
  entry: Entry
  amount: number
  trans_id: string
  /** The trace that the request belongs to, carried into the event. */
  trace?: TraceContext | undefined
}

/** A wallet while a batch is decided: each accepted request updates it for the next one. */
export interface WalletState {
  id: number
  balance: number
  sequence: number
  /** Time of its last write. */
  updated_at: Date
}

export interface Refusal {
  wallet_id: number
  trans_id: string
  entry: Entry
  amount: number
  code: RefusalCode
  balance: number
  created_at: Date
}

/** The recorded outcome of a trans_id. */
export type Recorded = { kind: 'transaction'; transaction: LedgerTransaction } | { kind: 'refusal'; refusal: Refusal }

export type Outcome =
  | { kind: 'accepted'; transaction: LedgerTransaction }
  | { kind: 'replayed'; transaction: LedgerTransaction }
  | { kind: 'refused'; refusal: Refusal; replayed: boolean }
  | { kind: 'mismatched'; fields: string[] }

/** The id and the time for a new transaction. */
export interface Stamp {
  id: number
  now: Date
}

/** Decides one request against the current wallet, and updates the wallet if the request is new. Free of I/O. */
export function decide(
  wallet: WalletState,
  recorded: Recorded | undefined,
  request: PostTransaction,
  stamp: Stamp,
): Outcome {
  if (recorded) return repeat(recorded, request)

  // created_at never decreases as sequence grows, even if the clocks of the replicas differ.
  if (stamp.now > wallet.updated_at) wallet.updated_at = stamp.now
  const { entry, amount, trans_id } = request
  const entered = { wallet_id: wallet.id, trans_id, entry, amount, created_at: wallet.updated_at }

  const balance = wallet.balance + (entry === 'credit' ? amount : -amount)
  const code = refusalOf(balance)
  if (code) return { kind: 'refused', refusal: { ...entered, code, balance: wallet.balance }, replayed: false }

  wallet.balance = balance
  wallet.sequence += 1
  return { kind: 'accepted', transaction: { ...entered, id: stamp.id, balance, sequence: wallet.sequence } }
}

function refusalOf(balance: number): RefusalCode | undefined {
  if (balance < 0) return 'insufficient_funds'
  // The sum of two safe integers may be rounded, but rounding never moves it across this bound.
  if (balance > BALANCE_MAX) return 'balance_limit'
  return undefined
}

/** A trans_id stands for one request for ever: the same request gets the same answer, any other is a mismatch. */
export function repeat(recorded: Recorded, request: PostTransaction): Outcome {
  const first = recorded.kind === 'transaction' ? recorded.transaction : recorded.refusal
  const fields = (['entry', 'amount'] as const).filter((field) => first[field] !== request[field])
  if (fields.length > 0) return { kind: 'mismatched', fields }
  if (recorded.kind === 'refusal') return { kind: 'refused', refusal: recorded.refusal, replayed: true }
  return { kind: 'replayed', transaction: recorded.transaction }
}
