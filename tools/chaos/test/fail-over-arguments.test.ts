import { expect, test } from 'vitest'
import { parseFailOverArguments } from '../src/fail-over/fail-over-arguments.ts'
import { drawTurns, turnKinds } from '../src/fail-over/turns.ts'

test('a run has one turn of each kind unless told otherwise, and refuses what is no number in one line', () => {
  expect(parseFailOverArguments([])).toMatchObject({
    ...{ seed: 1, times: turnKinds.length, rate: 20, asynchronous: false },
  })
  expect(parseFailOverArguments(['--seed', '7', '--times', '100'])).toMatchObject({ seed: 7, times: 100 })
  expect(parseFailOverArguments(['--asynchronous'])).toMatchObject({ asynchronous: true })
  expect(() => parseFailOverArguments(['--times', '0'])).toThrow(
    '--times must be a whole number from 1 to 10000, not "0".',
  )
})

test('the seed alone decides the turns, and each deck has one of each kind', () => {
  const draw = (seed: number) => {
    const turns = drawTurns(seed)
    return Array.from({ length: turnKinds.length * 2 }, () => turns.next().value)
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  const deck = draw(7).slice(turnKinds.length)
  expect(deck.map(({ kind }) => kind).sort()).toEqual([...turnKinds].sort())
})
