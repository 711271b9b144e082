import { expect, test } from 'vitest'
import { parseFuzzArguments } from '../src/fuzz-arguments.ts'

test('what is said is taken, and the rest has its usual value', () => {
  expect(parseFuzzArguments(['--seed', '7', '--cases=500'])).toEqual({ seed: 7, cases: 500, help: false })
  const { seed, cases } = parseFuzzArguments([])
  expect(cases).toBe(10_000)
  expect(seed).toSatisfy(Number.isInteger)
  expect(parseFuzzArguments(['-h']).help).toBe(true)
})

test.each([
  [['--seed', '-1'], /--help/],
  [['--seed', '1.5'], /--seed must be a whole number/],
  [['--seed', ''], /--seed must be/],
  [['--cases', '99'], /--cases must be a whole number from 100/],
  [['--cases', '1e9'], /--cases must be/],
  [['--minutes', '1'], /--help/],
  [['now'], /--help/],
])('%j is refused in one line', (args, message) => {
  expect(() => parseFuzzArguments(args as string[])).toThrow(message as RegExp)
  expect(() => parseFuzzArguments(args as string[])).not.toThrow(/\n/)
})
