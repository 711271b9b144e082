import type { Arrivals, Run } from './arrivals.ts'
import type { LedgerHorizon } from './ledger-horizon.ts'

export interface MissingRun extends Run {
  wallet_id: number
}

/** Transactions that must be in the topic and have no event. Those of a wallet come in order. */
export function* findMissing({ due, waiting }: LedgerHorizon, arrivals: Arrivals): Generator<MissingRun> {
  for (const [wallet_id, gaps] of arrivals.gaps()) {
    for (const gap of gaps) for (const run of waiting.without(wallet_id, gap)) yield { wallet_id, ...run }
  }
  for (const wallet_id of due.keys()) {
    const rest = { from: arrivals.lastOf(wallet_id) + 1, to: due.get(wallet_id) }
    if (rest.from > rest.to) continue
    for (const run of waiting.without(wallet_id, rest)) yield { wallet_id, ...run }
  }
}
