import type { Entry } from '@streamledger/db'
import { DIGITS_MAX, isExact } from './cells.ts'

export interface EntryTally {
  count: number
  /** In kobo; a bigint, because the sum may exceed the safe range of a number. */
  sum: bigint
}

/** Counts and sums of transactions by entry. */
export interface Tally extends Record<Entry, EntryTally> {
  /** Whether a figure of a row has more digits than a spreadsheet keeps of a number. */
  isRounded: boolean
}

export function createTally(): Tally {
  return { credit: { count: 0, sum: 0n }, debit: { count: 0, sum: 0n }, isRounded: false }
}

export function tallyRow(
  tally: Tally,
  { entry, amount, balance }: { entry: Entry; amount: number; balance: number },
): void {
  const of = tally[entry]
  of.count += 1
  of.sum += BigInt(amount)
  tally.isRounded ||= !isExact(amount) || !isExact(balance)
}

export function countTallied({ credit, debit }: Tally): number {
  return credit.count + debit.count
}

/** The change of the balance by these transactions, in kobo. */
export function changeOf({ credit, debit }: Tally): bigint {
  return credit.sum - debit.sum
}

/**
 * Whether programs that add up the amounts in naira, of all rows or of some, in any order, get the sum to the kobo. Each
 * addition of doubles is off by at most 2^-53 of the sum, so all of them together by less than half a kobo. No sum of some
 * rows may have more digits than a spreadsheet keeps, even if the sum of all ends in zeros.
 */
export function sumsAreExact(tally: Tally): boolean {
  const total = tally.credit.sum + tally.debit.sum
  return !tally.isRounded && total < 10n ** BigInt(DIGITS_MAX) && BigInt(countTallied(tally)) * total < 2n ** 52n
}
