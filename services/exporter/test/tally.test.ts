import { expect, test } from '@streamledger/testkit'
import fc from 'fast-check'
import { createTally, sumsAreExact, tallyRow } from '../src/tally.ts'

function tallyOf(amounts: readonly number[], balance = 0) {
  const tally = createTally()
  for (const amount of amounts) tallyRow(tally, { entry: amount % 2 === 0 ? 'debit' : 'credit', amount, balance })
  return tally
}

test('sums are exact of few rows, and not beyond 15 digits, in a row, a balance or the sum', () => {
  expect(sumsAreExact(tallyOf([]))).toBe(true)
  expect(sumsAreExact(tallyOf([1, 999_999_999_999_998]))).toBe(true)
  expect(sumsAreExact(tallyOf([1, 1_000_000_000_000_001]))).toBe(false)
  expect(sumsAreExact(tallyOf([2, 999_999_999_999_999]))).toBe(false)
  expect(sumsAreExact(tallyOf([1], 1_000_000_000_000_001))).toBe(false)
  // All together end in zeros, but the first two have 16 digits.
  expect(sumsAreExact(tallyOf([999_999_999_999_999, 100_000_000_000_002, 99_999_999_999_999]))).toBe(false)
})

test('sums are exact of an ordinary history, and not surely of one whose roundings could add up to a kobo', () => {
  const rows = (count: number, amount: number) => {
    const tally = createTally()
    Object.assign(tally.credit, { count, sum: BigInt(count) * BigInt(amount) })
    return tally
  }
  expect(sumsAreExact(rows(100_000, 100_000))).toBe(true)
  expect(sumsAreExact(rows(1_000_000, 100_000))).toBe(false)
})

test('where sums are exact, adding up the numbers in any order gives them to the kobo', () => {
  const amounts = fc.array(fc.integer({ min: 1, max: 1e13 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(amounts, (drawn) => {
      fc.pre(sumsAreExact(tallyOf(drawn)))
      const sum = drawn.map((kobo) => kobo / 100).reduce((total, naira) => total + naira, 0)
      expect(Math.round(sum * 100)).toBe(drawn.reduce((total, kobo) => total + kobo, 0))
    }),
  )
})
