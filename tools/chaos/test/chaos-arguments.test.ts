import { expect, test } from 'vitest'
import { parseChaosArguments } from '../src/chaos-arguments.ts'

test('what is said is taken, and the rest has its usual value', () => {
  expect(parseChaosArguments(['--seed', '7', '--minutes', '1.5'])).toMatchObject({
    ...{
      seed: 7,
      minutes: 1.5,
      faults: undefined,
      rate: 200,
      compression: 'producer',
      campaign: undefined,
      verbose: false,
      help: false,
    },
  })
  expect(
    parseChaosArguments([
      '--seed=0',
      '--faults=18',
      '--rate=50',
      '--compression=zstd',
      '--campaign=x',
      '--json=y',
      '--verbose',
    ]),
  ).toEqual({
    seed: 0,
    minutes: undefined,
    faults: 18,
    rate: 50,
    compression: 'zstd',
    campaign: 'x',
    json: 'y',
    verbose: true,
    help: false,
  })
})

test('help needs nothing else', () => {
  expect(parseChaosArguments(['--help']).help).toBe(true)
})

test.each([
  [['--minutes', '1'], /--seed is missing/],
  [['--seed', '1'], /--minutes or --faults is missing/],
  [['--seed', '1.5', '--minutes', '1'], /--seed must be a whole number/],
  [['--seed', '', '--minutes', '1'], /--seed must be/],
  [['--seed', '-1', '--minutes', '1'], /--help/],
  [['--seed', '1', '--minutes', '0'], /--minutes must be/],
  [['--seed', '1', '--minutes', 'NaN'], /--minutes must be/],
  [['--seed', '1', '--faults', '0'], /--faults must be/],
  [['--seed', '1', '--minutes', '1', '--rate', '9999999'], /--rate must be/],
  [['--seed', '1', '--minutes', '1', '--compression', 'zip'], /--compression must be one of .*zstd, not "zip"/],
  [['--seed', '1', '--hours', '1'], /--help/],
  [['now', '--seed', '1', '--minutes', '1'], /--help/],
])('%j is refused in one line', (args, message) => {
  expect(() => parseChaosArguments(args as string[])).toThrow(message as RegExp)
  expect(() => parseChaosArguments(args as string[])).not.toThrow(/\n/)
})
