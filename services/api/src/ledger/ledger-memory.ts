import type { PostTransaction, Recorded } from './decide.ts'
import type { LedgerRead, Topic, WalletRead } from './read-ledger.ts'
import type { LedgerWrite, LedgerWritten } from './write-ledger.ts'

/** Each takes about 300 bytes. */
const WALLETS_MAX = 20_000

export interface LedgerMemory {
  /** Returns the topic, and removes and returns the wallets of these requests, by user. Without a topic: no wallets. */
  take(requests: readonly PostTransaction[]): { topic: Topic | undefined; wallets: Map<number, WalletRead> }
  /** Stores what a finished batch took out, read and wrote. Not called for a batch that failed. */
  learn(ledger: LedgerRead, write: LedgerWrite, written: LedgerWritten): void
  /** Stores a wallet that has no posting under way in this replica. Returns whether it has changed. */
  update(wallet: WalletRead): boolean
}

/**
 * A cache of the topic and of wallets as this replica last saw them. Out-of-date entries cost a second try and nothing
 * else: a write takes effect only for wallets that have not changed since they were remembered.
 */
export function createLedgerMemory(): LedgerMemory {
  const wallets = new Map<number, WalletRead>()
  let topic: Topic | undefined

  function take(user_id: number): WalletRead | undefined {
    const wallet = wallets.get(user_id)
    // Removed, because a batch that fails leaves the state of its wallets unknown.
    if (wallet) wallets.delete(user_id)
    return wallet
  }

  function put(wallet: WalletRead): void {
    // Evict the wallet that was used longest ago.
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
      // While the topic is paused, each batch reads it again.
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
          // Unchanged or locked. Forget it, so that the retry first reads what is recorded for its trans_ids.
          take(after.user_id)
          if (!replayed.has(after.id)) topic = undefined // the topic had changed, or the wallet was locked
        }
      }
    },
  }
}

const walletIdOf = (recorded: Recorded): number =>
  recorded.kind === 'transaction' ? recorded.transaction.wallet_id : recorded.refusal.wallet_id
