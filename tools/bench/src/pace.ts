/** The durations and data sizes of all measurements. */
export type Pace = {
  readonly warmUpS: number
  readonly runS: number
  readonly repeats: number
  readonly system: { readonly warmUpS: number; readonly runS: number; readonly sliceS: number }
  readonly read: { readonly rows: number; readonly page: number; readonly pageRows: number }
  readonly relay: {
    readonly drainRows: number
    readonly latencyS: number
    readonly latencyWarmUpS: number
    readonly killAfterS: number
    readonly killRunS: number
    readonly farRows: number
  }
  readonly export: { readonly rows: number; readonly repeats: number }
  readonly idle: { readonly settleS: number; readonly runS: number }
  /** Its runs are short, because each of them makes the table larger than its name says. */
  readonly growth: Pick<Pace, 'warmUpS' | 'runS' | 'repeats'> & {
    readonly wallets: number
    /** Transactions in the table, from small to large. */
    readonly sizes: readonly number[]
  }
}

/**
 * The pace that the goals are for. With a broker the warm-up is long: in its first minute a broker spends half of its
 * CPU time on compiling its own code.
 */
export const FULL: Pace = {
  warmUpS: 3,
  runS: 10,
  repeats: 3,
  system: { warmUpS: 45, runS: 60, sliceS: 10 },
  read: { rows: 1_000_000, page: 10_000, pageRows: 20 },
  relay: { drainRows: 600_000, latencyS: 30, latencyWarmUpS: 30, killAfterS: 3, killRunS: 15, farRows: 60_000 },
  export: { rows: 1_000_000, repeats: 3 },
  idle: { settleS: 60, runS: 30 },
  growth: { ...{ warmUpS: 2, runS: 4, repeats: 3 }, wallets: 100_000, sizes: [1_000_000, 10_000_000, 50_000_000] },
}

/** Runs all code in a few minutes; its figures mean nothing. */
export const QUICK: Pace = {
  warmUpS: 1,
  runS: 2,
  repeats: 2,
  system: { warmUpS: 1, runS: 6, sliceS: 2 },
  read: { rows: 50_000, page: 500, pageRows: 20 },
  relay: { drainRows: 20_000, latencyS: 4, latencyWarmUpS: 1, killAfterS: 1, killRunS: 8, farRows: 10_000 },
  export: { rows: 30_000, repeats: 1 },
  idle: { settleS: 3, runS: 3 },
  growth: { ...{ warmUpS: 1, runS: 1, repeats: 2 }, wallets: 2_000, sizes: [100_000, 200_000] },
}
