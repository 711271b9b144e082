import { expect, test, waitFor } from '@streamledger/testkit'
import { onTestFinished, vi } from 'vitest'
import type { Sight } from '../src/publisher.ts'
import { ReadBack } from '../src/read-back.ts'

/** Looks that a test answers one by one. */
function makeLooks() {
  const looks: PromiseWithResolvers<Map<number, Sight>>[] = []
  const look = () => {
    const asked = Promise.withResolvers<Map<number, Sight>>()
    looks.push(asked)
    return asked.promise
  }
  const answer = async (index: number, ...stable: number[]) => {
    await waitFor(() => looks.length > index)
    looks[index]?.resolve(
      new Map(stable.map((offset, partition) => [partition, { receipt: undefined, stable: offset }])),
    )
  }
  return { look, looks, answer }
}

const leaderOf = () => 1
const past = (offset: number) => (sight: Sight) => sight.stable >= offset

test('one look answers every lane that waits, and the looks end when nobody does', async () => {
  const { look, looks, answer } = makeLooks()
  const readBack = new ReadBack({ look, leaderOf }, 5_000)
  const waits = [0, 1, 2].map((partition) => readBack.until(partition, 'it', past(10)))
  await answer(0, 10, 9, 12)
  expect(await Promise.all([waits[0], waits[2]])).toMatchObject([{ stable: 10 }, { stable: 12 }])
  await answer(1, 0, 11, 0)
  expect(await waits[1]).toMatchObject({ stable: 11 })
  expect(looks.length).toBe(2)
})

test('a question that comes while a look is under way is not answered by it', async () => {
  const { look, looks, answer } = makeLooks()
  const readBack = new ReadBack({ look, leaderOf }, 5_000)
  const first = readBack.until(0, 'it', past(1))
  await waitFor(() => looks.length === 1)
  const second = readBack.until(0, 'it', past(1))
  await answer(0, 5)
  expect(await first).toMatchObject({ stable: 5 })
  await answer(1, 6)
  expect(await second).toMatchObject({ stable: 6 })
})

test('what is not shown in time is an error that says what is shown; a look that fails is tried again', async () => {
  let looks = 0
  const look = async () => {
    looks += 1
    if (looks % 2 === 1) throw new Error('not now')
    return new Map([[0, { receipt: undefined, stable: 7 }]])
  }
  const flaky = new ReadBack({ look, leaderOf }, 100)
  expect(await flaky.until(0, 'it', past(7))).toMatchObject({ stable: 7 })
  await expect(flaky.until(0, 'batch 3', past(8))).rejects.toThrow(/^Kafka does not show batch 3 within 100 ms: it /)
  await expect(flaky.until(1, 'partition 1', () => true)).rejects.toThrow('it does not answer')
})

test('who has nothing else to do is not kept waiting for the next look that was due', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { look, looks } = makeLooks()
  const readBack = new ReadBack({ look, leaderOf }, 5_000)
  const wait = readBack.until(0, 'it', past(1))
  await vi.advanceTimersByTimeAsync(20)
  expect(looks).toHaveLength(0)
  readBack.hurry()
  await vi.advanceTimersByTimeAsync(5)
  expect(looks).toHaveLength(1)
  // Not seen yet: the next polls come soon, then at growing intervals, so that a long wait does not poll faster.
  const answerLast = async (stable: number) => {
    looks.at(-1)?.resolve(new Map([[0, { receipt: undefined, stable }]]))
    await vi.advanceTimersByTimeAsync(0)
  }
  await answerLast(0)
  await vi.advanceTimersByTimeAsync(8)
  expect(looks).toHaveLength(2)
  await answerLast(0)
  await vi.advanceTimersByTimeAsync(8)
  expect(looks).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(50)
  await answerLast(1)
  expect(await wait).toMatchObject({ stable: 1 })
})

test('a leader that does not answer delays only the lanes whose partitions it leads', async () => {
  const look = async ([partition]: readonly number[]) => {
    if (partition === 1) await new Promise(() => {})
    return new Map([[0, { receipt: undefined, stable: 7 }]])
  }
  const readBack = new ReadBack({ look, leaderOf: (partition) => partition }, 5_000)
  readBack.until(1, 'it', past(1)).catch(() => {})
  expect(await readBack.until(0, 'it', past(7))).toMatchObject({ stable: 7 })
  expect(await readBack.until(0, 'it', past(7))).toMatchObject({ stable: 7 })
})
