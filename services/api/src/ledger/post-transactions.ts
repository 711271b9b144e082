import { transactionPosted } from '@streamledger/events'
import type { Pool } from 'pg'
import { decide, type Outcome, type PostTransaction, type Recorded, type WalletState } from './decide.ts'
import { type LedgerRead, readLedger, type WalletRead } from './read-ledger.ts'
import { type LedgerWrite, type WriteOptions, writeLedger } from './write-ledger.ts'

/** Per request: its outcome; or that there is no wallet; or that it must be decided again, since the wallet moved on. */
export type Settled = Outcome | { kind: 'wallet_not_found' } | { kind: 'conflicted' } | { kind: 'paused' }

interface Decision {
  request: PostTransaction
  settled: Settled
  /** The wallet, when the outcome stands only if this batch's write to it does. */
  dependsOn?: number
}

/**
 * Posts a list of requests in one commit, each with an outcome of its own, in their order.
 * Nothing is held between the read and the write: a replica that stops between them is in nobody's way.
 */
export async function postTransactions(
  pool: Pool,
  requests: readonly PostTransaction[],
  options: WriteOptions = {},
): Promise<Settled[]> {
  const ledger = await readLedger(pool, requests)
  const { decisions, write } = decideInOrder(ledger, requests, new Date())
  // The one commit. A wallet whose version has moved since the read is left alone: its requests come back as conflicted.
  const written = write.wallets.length > 0 ? await writeLedger(pool, write, options) : new Set<number>()
  return decisions.map(({ settled, dependsOn }) =>
    dependsOn === undefined || written.has(dependsOn) ? settled : { kind: 'conflicted' },
  )
}

interface Decided {
  decisions: Decision[]
  write: LedgerWrite
}

/** Decides in arrival order and collects what must be written. Pure, but for the wallets it is given, which it moves on. */
export function decideInOrder(ledger: LedgerRead, requests: readonly PostTransaction[], now: Date): Decided {
  const write: LedgerWrite = {
    generation: ledger.topic.generation,
    wallets: [],
    transactions: [],
    refusals: [],
    outbox: [],
  }
  const batch = new Batch(write)
  const decisions = requests.map((request, index): Decision => {
    const { wallet, recorded, id } = ledger.requests[index] as LedgerRead['requests'][number]
    if (!wallet) return { request, settled: { kind: 'wallet_not_found' } }
    if (recorded) return { request, settled: decide(wallet, recorded, request, { id, now }) }
    if (ledger.topic.paused) return { request, settled: { kind: 'paused' } }

    const twin = batch.recordedBy(wallet, request)
    const outcome = decide(wallet, twin, request, { id, now })
    if (!twin) batch.add(wallet, request, outcome, ledger)
    return { request, settled: outcome, dependsOn: wallet.id }
  })
  return { decisions, write }
}

/** What the requests of one batch have recorded so far. */
class Batch {
  readonly #write: LedgerWrite
  readonly #wallets = new Set<WalletState>()
  readonly #recorded = new Map<string, Recorded>()

  constructor(write: LedgerWrite) {
    this.#write = write
  }

  recordedBy(wallet: WalletRead, request: PostTransaction): Recorded | undefined {
    return this.#recorded.get(keyOf(wallet, request))
  }

  add(wallet: WalletRead, request: PostTransaction, outcome: Outcome, { topic }: LedgerRead): void {
    if (!this.#wallets.has(wallet)) {
      this.#wallets.add(wallet)
      this.#write.wallets.push(wallet)
    }
    if (outcome.kind === 'accepted') {
      const { transaction } = outcome
      this.#recorded.set(keyOf(wallet, request), { kind: 'transaction', transaction })
      this.#write.transactions.push(transaction)
      const { user_id, traceparent } = request
      const posted = { ...transaction, user_id, currency: wallet.currency }
      const context = { source: topic.event_source, partitions: topic.partitions, traceparent }
      this.#write.outbox.push({ wallet_id: wallet.id, ...transactionPosted(posted, context) })
    } else if (outcome.kind === 'refused') {
      this.#recorded.set(keyOf(wallet, request), { kind: 'refusal', refusal: outcome.refusal })
      this.#write.refusals.push(outcome.refusal)
    }
  }
}

function keyOf(wallet: WalletRead, request: PostTransaction): string {
  return `${wallet.id} ${request.trans_id}`
}
