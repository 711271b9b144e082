import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WaitingRows } from '../src/reconcile/waiting-rows.ts'

test('what is left of a run is exactly what has no row, whichever rows there are', () => {
  const sequence = fc.integer({ min: 1, max: 20 })
  fc.assert(
    fc.property(fc.uniqueArray(sequence), sequence, sequence, (rows, a, b) => {
      const waiting = new WaitingRows()
      for (const row of rows.toSorted((x, y) => x - y)) waiting.add(7, row)
      const run = { from: Math.min(a, b), to: Math.max(a, b) }
      const all = Array.from({ length: run.to - run.from + 1 }, (_, index) => run.from + index)
      const left = [...waiting.without(7, run)].flatMap(({ from, to }) => all.filter((n) => from <= n && n <= to))
      expect(left).toEqual(all.filter((n) => !rows.includes(n)))
      expect([...waiting.without(8, run)]).toEqual([run])
    }),
  )
})
