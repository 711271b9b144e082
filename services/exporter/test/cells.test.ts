import { expect, test } from '@streamledger/testkit'
import fc from 'fast-check'
import { integerCell, nairaCell, textCell } from '../src/cells.ts'

const kobo = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 1_000_000 }))

test('the digits of an amount in naira are the digits of its kobo', () => {
  fc.assert(
    fc.property(kobo, (amount) => {
      const [naira = '', decimals = ''] = String(nairaCell(amount)).replaceAll(',', '').split('.')
      expect(BigInt(naira) * 100n + BigInt(decimals.padEnd(2, '0'))).toBe(BigInt(amount))
    }),
    { numRuns: 2_000 },
  )
})

test('a figure is a number exactly as long as it has no more than 15 significant digits', () => {
  expect(nairaCell(0)).toBe(0)
  expect(nairaCell(5)).toBe(0.05)
  expect(nairaCell(999_999_999_999_999)).toBe(9_999_999_999_999.99)
  expect(nairaCell(1_000_000_000_000_000)).toBe(10_000_000_000_000)
  expect(nairaCell(1_000_000_000_000_001)).toBe('10,000,000,000,000.01')
  expect(nairaCell(Number.MAX_SAFE_INTEGER)).toBe('90,071,992,547,409.91')
  expect(nairaCell(-100_000_000_000_000_001n)).toBe('-1,000,000,000,000,000.01')
  expect(integerCell(999_999_999_999_999)).toBe(999_999_999_999_999)
  expect(integerCell(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991')
})

test('text begins with a quote if a spreadsheet could take it for a formula, and only then', () => {
  for (const prefix of ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠']) {
    expect(textCell(`${prefix}cmd`)).toMatch(/^'/)
  }
  for (const harmless of ['a=1', ' =1', "'=1", '1-1', '_x', '']) expect(textCell(harmless)).toBe(harmless)
})

test('text keeps nothing that XML cannot carry, and no two texts become one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const cell = textCell(text)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be left.
      expect(cell).not.toMatch(/[\u0000-\u001f\u007f\ufffe\uffff]/)
      const decoded = cell.replace(/_x([0-9A-F]{4})_/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
      expect([text, `'${text}`]).toContain(decoded)
    }),
    { numRuns: 500 },
  )
  expect(textCell('_x0041_')).toBe('_x005F_x0041_')
})
