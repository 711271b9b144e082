import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGate, type Gate } from '../src/accounts/gate.ts'

test('a gate lets no more run than it may, keeps the order, and turns away whoever does not fit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.nat({ max: 5 }),
      fc.array(fc.boolean(), { maxLength: 20 }),
      async (runningMax, waitingMax, fates) => {
        const gate = createGate({ runningMax, waitingMax, timeoutMs: 60_000, busy: () => new Error('full') })
        const fit = Math.min(fates.length, runningMax + waitingMax)
        // The second wave starts with the gate as the first wave left it.
        for (let wave = 0; wave < 2; wave += 1) {
          const { entered, results, runningMost, waiting } = await sendWave(gate, fates)
          expect(runningMost).toBe(Math.min(runningMax, fates.length))
          expect(waiting).toBe(Math.max(0, fit - runningMax))
          expect({ running: gate.running, waiting: gate.waiting }).toEqual({ running: 0, waiting: 0 })
          expect(entered).toEqual(Array.from({ length: fit }, (_, index) => index))
          results.forEach((result, index) => {
            const expected = index >= fit ? 'full' : fates[index] ? 'failed' : index
            expect(result.status === 'fulfilled' ? result.value : result.reason.message).toBe(expected)
          })
        }
      },
    ),
  )
})

test('a gate answers a caller in time, also one whose work hangs, and its place is free when the work ends', async () => {
  const timeoutMs = 50
  const gate = createGate({ runningMax: 1, waitingMax: 2, timeoutMs, busy: () => new Error('busy') })
  let end = (): void => {}
  const hang = () =>
    new Promise<void>((resolve) => {
      end = resolve
    })
  const startedAt = performance.now()
  const callers = await Promise.allSettled([gate.enter(hang), gate.enter(hang), gate.enter(hang)])
  expect(performance.now() - startedAt).toBeLessThan(timeoutMs * 10)
  expect(callers.map((caller) => caller.status === 'rejected' && caller.reason.message)).toEqual(Array(3).fill('busy'))
  expect({ running: gate.running, waiting: gate.waiting }).toEqual({ running: 1, waiting: 0 })

  const next = gate.enter(async () => 'served')
  end()
  expect(await next).toBe('served')
  await expect.poll(() => gate.running).toBe(0)
})

/** Enters the gate with all pieces of work at once; a fate says whether that piece fails. */
async function sendWave(gate: Gate, fates: boolean[]) {
  const entered: number[] = []
  let running = 0
  let runningMost = 0
  const works = fates.map((fails, index) =>
    gate.enter(async () => {
      entered.push(index)
      running += 1
      runningMost = Math.max(runningMost, running)
      await Promise.resolve()
      running -= 1
      if (fails) throw new Error('failed')
      return index
    }),
  )
  const { waiting } = gate
  const results = await Promise.allSettled(works)
  return { entered, results, runningMost, waiting }
}

test('an overloaded gate answers all that it works for: what waits for half of the time is refused before it begins', async () => {
  const gate = createGate({ runningMax: 1, waitingMax: 100, timeoutMs: 2_000, busy: () => new Error('busy') })
  let worked = 0
  const work = async () => {
    worked += 1
    await new Promise((resolve) => setTimeout(resolve, 50))
    return 'answered'
  }
  const callers = await Promise.allSettled(Array.from({ length: 100 }, () => gate.enter(work)))
  const answered = callers.filter(({ status }) => status === 'fulfilled')
  expect(worked).toBeGreaterThan(0)
  expect(worked).toBeLessThan(100)
  expect(answered).toHaveLength(worked)
})

test('work that throws before its first wait is a rejection, and its place is free again', async () => {
  const gate = createGate({ runningMax: 1, waitingMax: 1, timeoutMs: 60_000, busy: () => new Error('busy') })
  const work = (): Promise<void> => {
    throw new Error('at once')
  }
  await expect(gate.enter(work)).rejects.toThrow('at once')
  await expect.poll(() => gate.running).toBe(0)
})
