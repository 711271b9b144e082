import { expect, test } from '@streamledger/testkit'
import fc from 'fast-check'
import { exactNaira, isExact, nairaNumber, textCell } from '../src/cells.ts'

const kobo = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 1_000_000 }))

test('the digits of an exact amount in naira are the digits of its kobo', () => {
  fc.assert(
    fc.property(kobo, (amount) => {
      const [naira = '', decimals = ''] = String(exactNaira(amount)).split('.')
      expect(BigInt(naira) * 100n + BigInt(decimals.padEnd(2, '0'))).toBe(BigInt(amount))
      if (isExact(amount)) expect(nairaNumber(amount)).toBe(exactNaira(amount))
    }),
    { numRuns: 2_000 },
  )
})

test('an exact figure is a number exactly as long as it has no more than 15 significant digits', () => {
  expect(exactNaira(0)).toBe(0)
  expect(exactNaira(5)).toBe(0.05)
  expect(exactNaira(999_999_999_999_999)).toBe(9_999_999_999_999.99)
  expect(exactNaira(1_000_000_000_000_000)).toBe(10_000_000_000_000)
  expect(exactNaira(1_000_000_000_000_001)).toBe('10000000000000.01')
  expect(exactNaira(Number.MAX_SAFE_INTEGER)).toBe('90071992547409.91')
  expect(exactNaira(-100_000_000_000_000_001n)).toBe('-1000000000000000.01')
  // Beyond 2^53 kobo: the number closest to the figure, whose digits a program writes as they are.
  expect(String(exactNaira(7_649_989_074_703_210_000n))).toBe('76499890747032100')
})

test('text begins with a quote if a spreadsheet could take it for a formula, or if it begins with one itself', () => {
  for (const prefix of ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠', "'"]) {
    expect(textCell(`${prefix}cmd`)).toMatch(/^'./)
  }
  expect(textCell("'=1")).toBe("''=1")
  for (const harmless of ['a=1', ' =1', '1-1', '_x', '']) expect(textCell(harmless)).toBe(harmless)
})

const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...`'=+-@ \t\0\uffff_x0041`, '_x0041'), maxLength: 8 }),
)

test('text keeps nothing that XML cannot carry, and is turned back: no two texts become one cell', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const cell = textCell(text)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be left.
      expect(cell).not.toMatch(/[\u0000-\u001f\u007f\ufffe\uffff]/)
      const decoded = cell.replace(/_x([0-9A-F]{4})_/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
      expect(decoded.replace(/^'/, '')).toBe(text)
    }),
    { numRuns: 2_000 },
  )
  expect(textCell('_x0041_')).toBe('_x005F_x0041_')
  expect(textCell('_x0041\uffff')).toBe('_x005F_x0041_xFFFF_')
})
