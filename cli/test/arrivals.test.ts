import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Arrivals } from '../src/reconcile/arrivals.ts'
import { SequenceMap } from '../src/reconcile/sequence-map.ts'

test('whatever arrives in whatever order, each is new, late or doubled, and what is left out is what is missing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ wallet: fc.nat({ max: 3 }), sequence: fc.integer({ min: 1, max: 12 }) })),
      (events) => {
        const arrivals = new Arrivals(new SequenceMap())
        const seen = new Set<string>()
        const last = new Map<number, number>()
        for (const { wallet, sequence } of events) {
          const key = `${wallet}/${sequence}`
          const isLate = sequence < (last.get(wallet) ?? 0)
          const expected = seen.has(key) ? 'doubled' : isLate ? 'late' : undefined
          expect(arrivals.add(wallet, sequence)).toBe(expected)
          seen.add(key)
          last.set(wallet, Math.max(sequence, last.get(wallet) ?? 0))
        }
        const left = [...arrivals.gaps()].flatMap(([wallet, runs]) =>
          runs.flatMap(({ from, to }) =>
            Array.from({ length: to - from + 1 }, (_, index) => `${wallet}/${from + index}`),
          ),
        )
        const wanted = [...last].flatMap(([wallet, end]) =>
          Array.from({ length: end }, (_, index) => `${wallet}/${index + 1}`).filter((key) => !seen.has(key)),
        )
        expect(left.sort()).toEqual(wanted.sort())
      },
    ),
  )
})

test('below the base nothing is asked for and nothing is judged', () => {
  const base = new SequenceMap()
  base.set(5, 10)
  const arrivals = new Arrivals(base)
  expect([arrivals.add(5, 9), arrivals.add(5, 9), arrivals.add(5, 11), arrivals.add(5, 11)]).toEqual([
    undefined,
    undefined,
    undefined,
    'doubled',
  ])
  expect(arrivals.gaps().size).toBe(0)
})

test('a topic in no order at all is refused before it fills the memory', () => {
  const arrivals = new Arrivals(new SequenceMap())
  expect(() => {
    for (let wallet = 0; wallet < 300_000; wallet += 1) arrivals.add(wallet, 2)
  }).toThrow('one partition at a time')
})

test('a number for each wallet is kept, for ids far apart, too', () => {
  const map = new SequenceMap()
  for (const id of [1, 4_095, 4_096, 9_007_199_254_740_991]) map.set(id, id)
  expect([...map.keys()].sort((a, b) => a - b)).toEqual([1, 4_095, 4_096, 9_007_199_254_740_991])
  expect([map.get(2), map.get(4_096), map.get(9_007_199_254_740_991)]).toEqual([0, 4_096, 9_007_199_254_740_991])
})
