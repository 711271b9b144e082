import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Sight } from '../src/publisher.ts'
import { mustStepDown, returnPauseMs, Standing, type Troubles } from '../src/step-down.ts'

const troubles = (own: Partial<Troubles>): Troubles => ({
  ...{ failing: [3], othersFlow: false, shown: undefined, anotherIsWell: true },
  ...own,
})

describe('when a replica gives its partitions up', () => {
  test.each<[string, Partial<Troubles>]>([
    ['new connections show nothing', {}],
    ['new connections show nothing, though other lanes still use their old ones', { othersFlow: true }],
    ['Kafka shows the partition, and refuses every lane', { shown: new Set([3, 4]) }],
  ])('it does: %s', (_, own) => {
    expect(mustStepDown(troubles(own))).toBe(true)
    expect(mustStepDown(troubles({ ...own, anotherIsWell: false })), 'but not without another that is well').toBe(false)
    expect(mustStepDown(troubles({ ...own, failing: [] }))).toBe(false)
  })

  test.each<[string, Partial<Troubles>]>([
    ['the partition has no leader', { shown: new Set([4]) }],
    ['the partition is shown, and other lanes flow', { shown: new Set([3, 4]), othersFlow: true }],
  ])('it does not: %s', (_, own) => {
    expect(mustStepDown(troubles(own))).toBe(false)
  })

  test('the pauses before it tries to return grow to five minutes, and stay short while no other replica lives', () => {
    const pauses = [1, 2, 3, 5, 20].map((times) => returnPauseMs(times, true, () => 1))
    expect(pauses).toEqual([10_000, 20_000, 40_000, 160_000, 300_000])
    expect([1, 20].map((times) => returnPauseMs(times, false, () => 1))).toEqual([5_000, 5_000])
  })
})

describe('a replica over time', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  type Answer = 'nothing' | 'silence' | number[]

  function makeStanding() {
    const kafka = { answer: 'nothing' as Answer, looks: 0 }
    const lookAnew = async () => {
      kafka.looks += 1
      if (kafka.answer === 'silence') await new Promise((resolve) => setTimeout(resolve, 5_000))
      if (typeof kafka.answer === 'string') throw new Error('no answer')
      const sight: Sight = { receipt: undefined, stable: 0 }
      return new Map(kafka.answer.map((partition) => [partition, sight]))
    }
    const standing = new Standing({ lookAnew }, 5_000)
    /** As the relay asks: once a second. Returns the second in which the answer was yes. */
    const askUntil = async (ask: () => boolean, seconds: number): Promise<number | undefined> => {
      for (let second = 1; second <= seconds; second += 1) {
        await vi.advanceTimersByTimeAsync(1_000)
        if (ask()) return second
      }
      return undefined
    }
    const fail = () => standing.failed(3, performance.now())
    return { kafka, standing, askUntil, fail }
  }

  test.each<[Answer, number]>([
    ['nothing', 10],
    ['silence', 10],
    [[3], 10],
  ])('steps down when lanes have failed for ten seconds, where a new connection shows: %s', async (answer, by) => {
    const { kafka, standing, askUntil, fail } = makeStanding()
    kafka.answer = answer
    fail()
    expect(await askUntil(() => standing.stepDown(true), 60)).toBe(by)
    expect(standing.isAway).toBe(true)
  })

  test('keeps its partitions while no other replica is well, and as long as lanes succeed in between', async () => {
    const { standing, askUntil, fail } = makeStanding()
    fail()
    expect(await askUntil(() => standing.stepDown(false), 60)).toBeUndefined()
    standing.reached(3)
    const failAndReach = () => {
      fail()
      const isDown = standing.stepDown(true)
      standing.reached(3)
      return isDown
    }
    expect(await askUntil(failAndReach, 60)).toBeUndefined()
  })

  test('lanes that failed while Postgres was gone do not count', async () => {
    const { standing, askUntil, fail } = makeStanding()
    fail()
    await vi.advanceTimersByTimeAsync(60_000)
    standing.postgresFailed()
    fail()
    expect(await askUntil(() => standing.stepDown(true), 9)).toBeUndefined()
  })

  test('says that it fails five seconds after the last success, so that of two that are cut off none steps down', async () => {
    const { standing, fail } = makeStanding()
    fail()
    expect(standing.isFailing).toBe(false)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(standing.isFailing).toBe(true)
    standing.reached(3)
    expect(standing.isFailing).toBe(false)
  })

  test('returns when Kafka answers, at growing pauses beside another replica, and soon without one', async () => {
    const { kafka, standing, askUntil, fail } = makeStanding()
    const random = vi.spyOn(Math, 'random').mockReturnValue(1)
    fail()
    await askUntil(() => standing.stepDown(true), 60)
    kafka.looks = 0
    expect(await askUntil(() => standing.comeBack(true), 600)).toBeUndefined()
    // After 10, 20, 40, 80, 160 and 300 s.
    expect(kafka.looks).toBe(5)
    kafka.answer = [3]
    expect(await askUntil(() => standing.comeBack(false), 60)).toBeLessThan(8)
    expect(standing.isAway).toBe(false)
    random.mockRestore()
  })

  test('is away for longer if it steps down again soon, and not if it was well for a while', async () => {
    const { kafka, standing, askUntil, fail } = makeStanding()
    const random = vi.spyOn(Math, 'random').mockReturnValue(1)
    const awayFor = async () => {
      kafka.answer = 'nothing'
      fail()
      await askUntil(() => standing.stepDown(true), 60)
      kafka.answer = [3]
      return askUntil(() => standing.comeBack(true), 600)
    }
    expect([await awayFor(), await awayFor(), await awayFor()]).toEqual([11, 21, 41])
    await vi.advanceTimersByTimeAsync(301_000)
    expect(await awayFor()).toBe(11)
    random.mockRestore()
  })
})
