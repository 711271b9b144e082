/** Of all rows: histories of those who run a business on one wallet. */
const LONG_SHARES = [0.1, 0.05, 0.02]
/** One wallet of ten is busy, and these have so much of the rows together. */
const BUSY_WALLETS_SHARE = 0.1
const BUSY_ROWS_SHARE = 0.4

/** Where a wallet stands among its like: the long histories come first, then the busy wallets, then everybody else. */
export function describeWallets(wallets: number): { long: number; busy: number; others: number } {
  const long = Math.min(LONG_SHARES.length, wallets)
  const busy = Math.min(Math.round(wallets * BUSY_WALLETS_SHARE), wallets - long)
  return { long, busy, others: wallets - long - busy }
}

/** How many of so many rows each wallet gets. They add up; what does not divide goes to the longest history. */
export function shareOut(rows: number, wallets: number): number[] {
  const { long, busy, others } = describeWallets(wallets)
  const shares = [
    ...LONG_SHARES.slice(0, long).map((share) => Math.floor(rows * share)),
    ...shareEvenly(Math.floor(rows * BUSY_ROWS_SHARE), busy),
  ]
  const given = shares.reduce((sum, share) => sum + share, 0)
  shares.push(...shareEvenly(rows - given, others))
  const rest = rows - shares.reduce((sum, share) => sum + share, 0)
  return shares.map((share, index) => (index === 0 ? share + rest : share))
}

function shareEvenly(rows: number, wallets: number): number[] {
  const each = Math.floor(rows / Math.max(1, wallets))
  const more = rows - each * wallets
  return Array.from({ length: wallets }, (_, index) => (index < more ? each + 1 : each))
}
