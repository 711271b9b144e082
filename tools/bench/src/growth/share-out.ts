/** Shares of all rows: histories of businesses with one wallet. */
const LONG_SHARES = [0.1, 0.05, 0.02]
/** One wallet in ten is busy; together they have this share of the rows. */
const BUSY_WALLETS_SHARE = 0.1
const BUSY_ROWS_SHARE = 0.4

/** The sizes of the three groups, in their order: long histories, busy wallets, all others. */
export function describeWallets(wallets: number): { long: number; busy: number; others: number } {
  const long = Math.min(LONG_SHARES.length, wallets)
  const busy = Math.min(Math.round(wallets * BUSY_WALLETS_SHARE), wallets - long)
  return { long, busy, others: wallets - long - busy }
}

/** The number of rows for each wallet. They add up to `rows`; the remainder goes to the longest history. */
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
