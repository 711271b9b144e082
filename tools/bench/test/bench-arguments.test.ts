import { expect, test } from 'vitest'
import { parseBenchArguments, USUAL_SUITES } from '../src/bench-arguments.ts'

test('without a name everything runs but what takes an hour, as it is meant', () => {
  expect(parseBenchArguments([])).toEqual({
    ...{ suites: USUAL_SUITES, quick: false, json: undefined, wrk: true, pgbench: true, help: false },
    ...{ sizes: undefined, keep: undefined, seedOnly: false },
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

test('growth is for those who name it, with sizes of their own and a folder that outlives the run', () => {
  expect(USUAL_SUITES).not.toContain('growth')
  const given = ['growth', '--sizes', '1000,20000', '--keep', 'there', '--seed-only']
  expect(parseBenchArguments(given)).toMatchObject({
    ...{ suites: ['growth'], sizes: [1_000, 20_000], keep: 'there', seedOnly: true },
  })
})

test.for(['', '0', '10,5', '5,5', '1e999', 'many', '1000,'])('sizes %j get one line', (sizes) => {
  expect(() => parseBenchArguments(['growth', '--sizes', sizes])).toThrow(/^--sizes must be ascending whole numbers/)
})

test('databases that nobody keeps are not written for their own sake', () => {
  expect(() => parseBenchArguments(['growth', '--seed-only'])).toThrow(/^--seed-only needs --keep/)
})

test('a name or an option that there is not gets one line', () => {
  expect(() => parseBenchArguments(['write'])).toThrow('Unknown bench "write"')
  expect(() => parseBenchArguments(['--fast'])).toThrow(/^Unknown option '--fast'.* Try --help\.$/)
})
