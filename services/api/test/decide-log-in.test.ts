import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideLogIn, type LogInCounts } from '../src/accounts/decide-log-in.ts'

const limits = { pairFreeMax: 10, accountFailuresMax: 50, networkFailuresMax: 100 }
const calm: LogInCounts = {
  ...{ pair_failures: 1, pair_wait_s: 0, known: false },
  ...{ account_failures: 0, network_failures: 0, network_ends_in_s: 0 },
}
const waits = (counts: Partial<LogInCounts>, tries: number[]) =>
  tries.map((pair_failures) => {
    const decision = decideLogIn({ ...calm, ...counts, pair_failures }, limits)
    return decision.kind === 'admitted' ? decision.next_wait_s : decision
  })

const strangers = fc.record({
  account_failures: fc.nat(),
  network_failures: fc.nat(),
  network_ends_in_s: fc.integer({ min: 1, max: 3_600 }),
})

describe('a log-in', () => {
  test('waits after the tenth failure, twice as long each time, up to a quarter of an hour', () => {
    expect(waits({}, [1, 9, 10, 11, 12, 19, 20, 2_000])).toEqual([0, 0, 1, 2, 4, 512, 900, 900])
  })

  test('waits after the second where nobody has logged in, while many try that account', () => {
    const attacked = { account_failures: 50 }
    expect(waits(attacked, [1, 2, 3, 4, 5, 6, 7, 2_000])).toEqual([0, 900, 1_800, 3_600, 7_200, 14_400, 14_400, 14_400])
    expect(waits({ ...attacked, known: true }, [2, 9, 10])).toEqual([0, 0, 1])
    expect(waits({ account_failures: 49 }, [2, 9, 10])).toEqual([0, 0, 1])
  })

  test('is refused where many accounts are tried, until that is over', () => {
    const spraying = { ...calm, network_failures: 100, network_ends_in_s: 7 }
    expect(decideLogIn(spraying, limits)).toEqual({ kind: 'refused', wait_s: 7 })
    expect(decideLogIn({ ...spraying, network_failures: 99 }, limits).kind).toBe('admitted')
  })

  test('is refused as long as its pair has to wait', () => {
    expect(decideLogIn({ ...calm, known: true, pair_wait_s: 0.2 }, limits)).toEqual({ kind: 'refused', wait_s: 0.2 })
  })

  test('from where its owner has been is decided by what was tried there, whatever strangers do', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), strangers, (pair_failures, others) => {
        const owner = { ...calm, known: true, pair_failures }
        expect(decideLogIn({ ...owner, ...others }, limits)).toEqual(decideLogIn(owner, limits))
      }),
    )
  })

  test('of an account that strangers try gets a turn within hours from anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.nat(), (pair_failures, account_failures) => {
        const decision = decideLogIn({ ...calm, pair_failures, account_failures }, limits)
        expect(decision.kind).toBe('admitted')
        expect(decision.kind === 'admitted' && decision.next_wait_s).toBeLessThanOrEqual(4 * 3_600)
      }),
    )
  })

  test('is never refused, and never waits, where there are no limits', () => {
    const none = { pairFreeMax: 0, accountFailuresMax: 0, networkFailuresMax: 0 }
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.boolean(), strangers, (pair_failures, known, others) => {
        const decision = decideLogIn({ ...calm, pair_failures, known, ...others }, none)
        expect(decision).toEqual({ kind: 'admitted', next_wait_s: 0 })
      }),
    )
  })
})
