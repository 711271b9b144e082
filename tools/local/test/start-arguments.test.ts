import { expect, test } from 'vitest'
import { parseStartArguments } from '../src/start-arguments.ts'

test('one of each service is started unless the arguments say otherwise', () => {
  expect(parseStartArguments([])).toEqual({ replicas: { api: 1, relay: 1, exporter: 1 }, demo: false, help: false })
  expect(parseStartArguments(['--api', '2', '--relay=3', '--exporter', '0', '--demo'])).toEqual({
    replicas: { api: 2, relay: 3, exporter: 0 },
    demo: true,
    help: false,
  })
})

test.each([['--api', 'two'], ['--api', '-1'], ['--relay', '17'], ['--exporter', '1.5'], ['--apis', '2'], ['now']])(
  '%s %s is refused in one line',
  (...args) => {
    expect(() => parseStartArguments(args)).toThrow(/^[^\n]+$/)
  },
)
