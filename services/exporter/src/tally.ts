import type { Entry } from '@streamledger/db'

export interface EntryTally {
  count: number
  /** In kobo; a bigint, because the sum may exceed the safe range of a number. */
  sum: bigint
}

/** Counts and sums of transactions by entry. */
export type Tally = Record<Entry, EntryTally>

export function createTally(): Tally {
  return { credit: { count: 0, sum: 0n }, debit: { count: 0, sum: 0n } }
}

export function tallyRow(tally: Tally, { entry, amount }: { entry: Entry; amount: number }): void {
  const of = tally[entry]
  of.count += 1
  of.sum += BigInt(amount)
}

export function countTallied({ credit, debit }: Tally): number {
  return credit.count + debit.count
}

/** The change of the balance by these transactions, in kobo. */
export function changeOf({ credit, debit }: Tally): bigint {
  return credit.sum - debit.sum
}
