import { expect, test } from 'vitest'
import { parseDrillArguments } from '../src/drill/drill-arguments.ts'

test('a drill has all acts, in their order, unless some are named', () => {
  expect(parseDrillArguments([]).acts).toEqual(['everything', 'point', 'running', 'kafka', 'both'])
  expect(parseDrillArguments(['--acts', 'both,point', '--history', '5'])).toMatchObject({
    acts: ['point', 'both'],
    history: 5,
  })
})

test.each([
  [['--acts', 'all'], 'Unknown act "all" in --acts; choose from everything, point, running, kafka, both.'],
  [['--history', '0'], '--history must be a whole number from 1 to 10000000, not "0".'],
  [['--rate', ''], '--rate must be a whole number from 1 to 5000, not "".'],
])('%j is refused in one line', (args, message) => {
  expect(() => parseDrillArguments(args)).toThrow(message)
})
