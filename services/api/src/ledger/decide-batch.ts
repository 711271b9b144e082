import { transactionPosted } from '@streamledger/events'
import { decide, type Outcome, type PostTransaction, type Recorded } from './decide.ts'
import type { LedgerRead, Topic, WalletRead } from './read-ledger.ts'
import type { LedgerEntry, LedgerWrite } from './write-ledger.ts'

export interface Decision {
  request: PostTransaction
  decided: Outcome | { kind: 'wallet_not_found' } | { kind: 'paused' }
  /** The wallet whose write the outcome depends on, if any. */
  wallet?: WalletRead
  /** Index of its entry in the write, if it has one. */
  place?: number
}

export interface DecidedBatch {
  /** One per request, in their order. */
  decisions: Decision[]
  write: LedgerWrite
}

/** The inputs of a batch that do not come from the ledger. */
export interface Stamps {
  now: Date
  /** One per request, for the transaction that it may become. */
  ids: readonly number[]
}

/** Decides in arrival order and collects what must be written. Pure, except that it updates the wallets in `ledger`. */
export function decideBatch(ledger: LedgerRead, requests: readonly PostTransaction[], stamps: Stamps): DecidedBatch {
  const batch = new Batch(ledger.topic)
  const decisions = requests.map((request, index): Decision => {
    const { wallet, recorded } = ledger.requests[index] as LedgerRead['requests'][number]
    const stamp = { id: stamps.ids[index] as number, now: stamps.now }
    if (!wallet) return { request, decided: { kind: 'wallet_not_found' } }
    if (recorded) return { request, decided: decide(wallet, recorded, request, stamp) }
    if (ledger.topic.paused) return { request, decided: { kind: 'paused' } }

    const twin = batch.recordedBy(wallet, request)
    if (twin) return { request, decided: decide(wallet, twin, request, stamp), wallet }
    batch.willChange(wallet)
    const decided = decide(wallet, undefined, request, stamp)
    return { request, decided, wallet, place: batch.add(wallet, request, decided) }
  })
  return { decisions, write: batch.write }
}

/** What the batch has recorded so far. */
class Batch {
  readonly write: LedgerWrite
  readonly #topic: Topic
  readonly #wallets = new Set<WalletRead>()
  readonly #recorded = new Map<string, Recorded>()

  constructor(topic: Topic) {
    this.#topic = topic
    this.write = { generation: topic.generation, wallets: [], entries: [] }
  }

  recordedBy(wallet: WalletRead, request: PostTransaction): Recorded | undefined {
    return this.#recorded.get(keyOf(wallet, request))
  }

  willChange(wallet: WalletRead): void {
    if (this.#wallets.has(wallet)) return
    this.#wallets.add(wallet)
    this.write.wallets.push({ before: { ...wallet }, after: wallet })
  }

  /** Returns the index of the entry. */
  add(wallet: WalletRead, request: PostTransaction, outcome: Outcome): number {
    const entry = toEntry(wallet, request, outcome, this.#topic)
    this.#recorded.set(keyOf(wallet, request), entry)
    return this.write.entries.push(entry) - 1
  }
}

function toEntry(wallet: WalletRead, request: PostTransaction, outcome: Outcome, topic: Topic): LedgerEntry {
  if (outcome.kind === 'refused') return { kind: 'refusal', refusal: outcome.refusal }
  if (outcome.kind !== 'accepted') throw new Error(`a first request is accepted or refused, not ${outcome.kind}`)
  const { transaction } = outcome
  const posted = { ...transaction, user_id: request.user_id, currency: wallet.currency }
  const context = { source: topic.event_source, partitions: topic.partitions, ...request.trace }
  return { kind: 'transaction', transaction, event: transactionPosted(posted, context) }
}

function keyOf(wallet: WalletRead, request: PostTransaction): string {
  return `${wallet.id} ${request.trans_id}`
}
