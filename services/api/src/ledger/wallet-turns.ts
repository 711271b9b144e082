import { sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { gather } from './gather.ts'
import type { LedgerMemory } from './ledger-memory.ts'
import type { WalletRead } from './read-ledger.ts'

/** Long enough for a rival replica, whose try has just failed, to send its next one; our look then waits for that. */
const TURN_MS = 2
const RIVALS_MAX = 10_000
/** One look at a time: it may wait for a lock, and must not take connections away from batches. */
const LOOKS = { queriesMax: 1, keysMax: 50, waitingMax: RIVALS_MAX, timeoutMs: 5_000 }

// The lock makes it wait for a write under way to the wallet, and then return what was written. It changes nothing, so
// its commit need not be flushed.
const LOOK = {
  name: 'look-at-wallets',
  text: `
  select id, user_id, balance, currency, sequence, version, updated_at, set_config('synchronous_commit', 'off', true)
    from wallets
   where user_id = any($1::bigint[])
   order by id
     for no key update`,
}

export interface WalletTurns {
  /** Notes that another replica wrote the wallet of this user while this one tried to. */
  noteRival(user_id: number): void
  hasRival(user_id: number): boolean
  /** Gives the rival a turn. Resolves when it has had it, or when there is no rival any more. */
  give(user_id: number): Promise<void>
}

/**
 * Lets replicas take turns on a wallet that several of them post to. Otherwise one replica wins repeatedly and the
 * other's batches are wasted. The winner waits until it has read what the other one wrote, and decides on that: while
 * both do so, no batch is wasted.
 */
export function createWalletTurns(pool: Pool, memory: LedgerMemory): WalletTurns {
  const rivals = new Set<number>()
  const look = gather((users: number[]) => lookAtWallets(pool, users), LOOKS)

  return {
    noteRival: (user_id) => {
      if (rivals.size < RIVALS_MAX) rivals.add(user_id)
    },
    hasRival: (user_id) => rivals.has(user_id),
    give: async (user_id) => {
      await sleep(TURN_MS)
      // A failed look costs at most one try.
      const wallet = await look(user_id).catch(() => undefined)
      if (!wallet || !memory.update(wallet)) rivals.delete(user_id)
    },
  }
}

async function lookAtWallets(pool: Pool, users: number[]): Promise<Map<number, WalletRead>> {
  const { rows } = await pool.query<WalletRead>({ ...LOOK, values: [users] })
  return new Map(
    rows.map(({ id, user_id, balance, currency, sequence, version, updated_at }) => [
      user_id,
      { id, user_id, balance, currency, sequence, version, updated_at },
    ]),
  )
}
