import { expect, test } from 'vitest'
import { parseBenchArguments, SUITE_NAMES } from '../src/bench-arguments.ts'

test('without a name everything runs, as it is meant', () => {
  expect(parseBenchArguments([])).toEqual({
    ...{ suites: SUITE_NAMES, quick: false, json: undefined, wrk: true, pgbench: true, help: false },
  })
})

test('names choose what runs, in the order of the bench and each once', () => {
  expect(parseBenchArguments(['idle', 'post', 'idle', '--quick', '--json', 'out.json'])).toMatchObject({
    ...{ suites: ['post', 'idle'], quick: true, json: 'out.json' },
  })
})

test('other generators can be asked for', () => {
  expect(parseBenchArguments(['--no-wrk', '--no-pgbench'])).toMatchObject({ wrk: false, pgbench: false })
})

test('a name or an option that there is not gets one line', () => {
  expect(() => parseBenchArguments(['write'])).toThrow('There is no bench "write"')
  expect(() => parseBenchArguments(['--fast'])).toThrow(/^Unknown option '--fast'.* Try --help\.$/)
})
