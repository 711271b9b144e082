import { expect, test } from '@streamledger/testkit'
import { type CpuMeter, createCpuBudget } from '../src/cpu-budget.ts'

const signal = new AbortController().signal

/** A CPU meter and a clock that the test controls. */
function makeMeter() {
  let now = 1_000
  let used = 300
  const rests: number[] = []
  const meter: CpuMeter = {
    nowMs: () => now,
    usedMs: () => used,
    sleep: async (ms) => {
      rests.push(ms)
      now += ms
    },
  }
  return {
    ...{ meter, rests },
    work(ms: number, { waitedMs = 0 } = {}) {
      used += ms
      now += ms + waitedMs
    },
  }
}

test('work is followed by a rest that leaves it just its share', async () => {
  const { meter, rests, work } = makeMeter()
  const startedAt = meter.nowMs()
  const budget = createCpuBudget(40, meter)
  for (let burst = 0; burst < 100; burst += 1) {
    work(2)
    await budget.rest(signal)
  }
  expect(rests).toHaveLength(100)
  expect(meter.nowMs() - startedAt).toBeCloseTo(200 / 0.4)
})

test('rests that are too short for a timer are put together', async () => {
  const { meter, rests, work } = makeMeter()
  const budget = createCpuBudget(50, meter)
  for (let burst = 0; burst < 10; burst += 1) {
    work(0.4)
    await budget.rest(signal)
  }
  expect(rests.length).toBeLessThan(5)
  for (const ms of rests) expect(ms).toBeGreaterThanOrEqual(1)
})

test('a wait counts as a rest, but a long one is not saved up', async () => {
  const { meter, rests, work } = makeMeter()
  const budget = createCpuBudget(50, meter)
  work(5, { waitedMs: 5 })
  await budget.rest(signal)
  expect(rests).toEqual([])
  work(0, { waitedMs: 60_000 })
  work(100)
  await budget.rest(signal)
  expect(rests).toEqual([80]) // of the minute, 20 ms are counted
})

test('what an exporter without exports has used by and by is not paid for by the next one', async () => {
  const { meter, rests, work } = makeMeter()
  const budget = createCpuBudget(50, meter)
  for (let minute = 0; minute < 60; minute += 1) work(600, { waitedMs: 59_400 })
  budget.begin()
  work(30)
  await budget.rest(signal)
  expect(rests).toEqual([10]) // as after any wait: 20 ms are counted
})

test('what several exports use at once is paid for by all of them together', async () => {
  const { meter, rests, work } = makeMeter()
  const budget = createCpuBudget(50, meter)
  work(10)
  const one = budget.rest(signal)
  work(10)
  await Promise.all([one, budget.rest(signal)])
  expect(rests[0]).toBe(10)
  expect(rests.at(-1)).toBeGreaterThanOrEqual(10)
})

test('a rest ends at once when the export is cancelled', async () => {
  const budget = createCpuBudget(1)
  const until = performance.now() + 20
  while (performance.now() < until); // uses the processor
  const cancelled = new AbortController()
  const resting = budget.rest(cancelled.signal)
  cancelled.abort(new Error('cancelled'))
  await expect(resting).rejects.toThrow()
})
