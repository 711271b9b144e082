import { sleep } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { gather } from './gather.ts'
import type { LedgerMemory } from './ledger-memory.ts'
import type { WalletRead } from './read-ledger.ts'

/** Long enough for a rival, whose try has just failed, to send the next one, which our look then waits for. */
const TURN_MS = 2
const RIVALS_MAX = 10_000
/** One look at a time: it may have to wait, and must not keep batches from their connections. */
const LOOKS = { queriesMax: 1, keysMax: 50, waitingMax: RIVALS_MAX }

// The lock makes it wait for whoever is writing the wallet, and it is told what they wrote. It leaves nothing behind
// that is worth a flush.
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
  /** Somebody else wrote the wallet of this user while we tried to. */
  noteRival(user_id: number): void
  hasRival(user_id: number): boolean
  /** Lets the rival have a turn, and resolves when it has, or when there is none any more. */
  give(user_id: number): Promise<void>
}

/**
 * Turns on a wallet that several replicas post to. Without them whoever wins is there again first, and whoever loses has
 * decided, sent and looked up a batch in vain. Here the winner waits until it knows what the other has written, and
 * decides on that: while both keep to it, nobody loses.
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
      // A look that fails costs a try at most.
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
