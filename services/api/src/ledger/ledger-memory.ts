import type { PostTransaction, Recorded } from './decide.ts'
import type { LedgerRead, Topic, WalletRead } from './read-ledger.ts'
import type { LedgerWrite, LedgerWritten } from './write-ledger.ts'

/** Some 300 bytes each. */
const WALLETS_MAX = 20_000

export interface LedgerMemory {
  /** Takes out what is known: the topic, and the wallets of these requests by user; no wallets without the topic. */
  take(requests: readonly PostTransaction[]): { topic: Topic | undefined; wallets: Map<number, WalletRead> }
  /** Keeps what a batch has taught: what it took out, read, and wrote. A batch that failed teaches nothing. */
  learn(ledger: LedgerRead, write: LedgerWrite, written: LedgerWritten): void
  /** Keeps a wallet of which nothing is under way here, and tells whether it has changed. */
  update(wallet: WalletRead): boolean
}

/**
 * The topic, and wallets as this replica last saw them. They may be out of date, which costs a second try and nothing
 * else: a write takes effect only for wallets that are as they were decided on.
 */
export function createLedgerMemory(): LedgerMemory {
  const wallets = new Map<number, WalletRead>()
  let topic: Topic | undefined

  function take(user_id: number): WalletRead | undefined {
    const wallet = wallets.get(user_id)
    // If the batch fails, nobody knows how its wallets are.
    if (wallet) wallets.delete(user_id)
    return wallet
  }

  function put(wallet: WalletRead): void {
    // The one that was used longest ago goes first.
    if (wallets.size >= WALLETS_MAX && !wallets.has(wallet.user_id))
      wallets.delete(wallets.keys().next().value as number)
    wallets.set(wallet.user_id, wallet)
  }

  return {
    take(requests) {
      const taken = new Map<number, WalletRead>()
      for (const { user_id } of topic ? requests : []) {
        const wallet = take(user_id)
        if (wallet) taken.set(user_id, wallet)
      }
      return { topic, wallets: taken }
    },

    update(wallet) {
      const changed = wallets.get(wallet.user_id)?.version !== wallet.version
      put(wallet)
      return changed
    },

    learn(ledger, write, { unwritten, recorded }) {
      // While it is paused, each batch asks again.
      topic = ledger.topic.paused ? undefined : ledger.topic
      for (const { wallet } of ledger.requests) if (wallet) put(wallet)
      for (const { after } of write.wallets) if (!unwritten.has(after.id)) after.version += 1
      if (unwritten.size === 0) return

      const replayed = new Set([...recorded.values()].map(walletIdOf))
      const again = new Set(write.entries.filter((_, place) => !recorded.has(place)).map(walletIdOf))
      for (const { before, after } of write.wallets) {
        if (!unwritten.has(after.id)) continue
        const now = unwritten.get(after.id)
        if (now && now.version !== before.version) put({ ...before, ...now })
        else if (!again.has(after.id)) put(before)
        else {
          // It was as it was thought to be, and what goes again must be decided on a look at all its trans_ids.
          take(after.user_id)
          if (!replayed.has(after.id)) topic = undefined // it, or somebody's lock, stood in the way
        }
      }
    },
  }
}

const walletIdOf = (recorded: Recorded): number =>
  recorded.kind === 'transaction' ? recorded.transaction.wallet_id : recorded.refusal.wallet_id
