import { expect, test } from 'vitest'
import { gather } from '../../src/ledger/gather.ts'

const BOUNDS = { queriesMax: 1, keysMax: 3, waitingMax: 100, timeoutMs: 60_000 }

/** A loader whose queries end when the test ends them. */
function makeLoader() {
  const queries: { keys: number[]; end(error?: Error): void }[] = []
  const load = (keys: number[]) =>
    new Promise<Map<number, string>>((resolve, reject) => {
      const found = new Map(keys.filter((key) => key < 100).map((key) => [key, `value ${key}`]))
      queries.push({ keys, end: (error) => (error ? reject(error) : resolve(found)) })
    })
  return { load, queries, turn: () => new Promise((resolve) => setImmediate(resolve)) }
}

test('a look-up alone is answered by a query of its own, at once', async () => {
  const { load, queries } = makeLoader()
  const found = gather(load, BOUNDS)(7)
  expect(queries.map(({ keys }) => keys)).toEqual([[7]])
  queries[0]?.end()
  expect(await found).toBe('value 7')
})

test('look-ups that arrive during a query share the next, a key once, and in bounded numbers', async () => {
  const { load, queries, turn } = makeLoader()
  const find = gather(load, BOUNDS)
  const found = [1, 2, 3, 2, 4, 5, 1].map(find)
  queries[0]?.end()
  await turn()
  queries[1]?.end()
  await turn()
  queries[2]?.end()
  expect(await Promise.all(found)).toEqual([1, 2, 3, 2, 4, 5, 1].map((key) => `value ${key}`))
  expect(queries.map(({ keys }) => keys)).toEqual([[1], [2, 3, 4], [5, 1]])
})

test('what is not there is undefined, and a query that fails fails only those who waited for it', async () => {
  const { load, queries, turn } = makeLoader()
  const find = gather(load, BOUNDS)
  const failing = find(1)
  const missing = find(500)
  queries[0]?.end(new Error('connection lost'))
  await expect(failing).rejects.toThrow('connection lost')
  await turn()
  queries[1]?.end()
  expect(await missing).toBeUndefined()
})

test('look-ups are answered in time while a query hangs, and need no query when it ends', async () => {
  const { load, queries, turn } = makeLoader()
  const timeoutMs = 50
  const find = gather(load, { ...BOUNDS, waitingMax: 5, timeoutMs })
  const startedAt = performance.now()
  const answers = await Promise.allSettled([1, 2, 3, 2, 1].map(find))
  expect(performance.now() - startedAt).toBeLessThan(timeoutMs * 10)
  for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'busy' } })

  // The room is empty again, and only the newcomers are looked for.
  const newcomers = [4, 4, 5, 6, 7].map(find)
  await expect(find(8)).rejects.toMatchObject({ code: 'busy' })
  queries[0]?.end()
  await turn()
  queries[1]?.end()
  await turn()
  queries[2]?.end()
  expect(await Promise.all(newcomers)).toEqual([4, 4, 5, 6, 7].map((key) => `value ${key}`))
  expect(queries.map(({ keys }) => keys)).toEqual([[1], [4, 5, 6], [7]])
})

test('the waiting room is bounded, and has room again when it has emptied', async () => {
  const { load, queries, turn } = makeLoader()
  const find = gather(load, { ...BOUNDS, waitingMax: 2 })
  const found = [find(1), find(2)]
  await expect(find(3)).rejects.toMatchObject({ code: 'busy' })
  queries[0]?.end()
  await turn()
  queries[1]?.end()
  await Promise.all(found)
  const again = find(4)
  queries[2]?.end()
  expect(await again).toBe('value 4')
})

test('a look-up that has waited for half of its time is refused, and needs no query', async () => {
  const { load, queries, turn } = makeLoader()
  const find = gather(load, { ...BOUNDS, timeoutMs: 400 })
  const first = find(1)
  const second = find(2)
  await expect(second).rejects.toMatchObject({ code: 'busy' })
  queries[0]?.end()
  expect(await first).toBe('value 1')
  await turn()
  expect(queries.map(({ keys }) => keys)).toEqual([[1]])
})
