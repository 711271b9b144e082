import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BALANCE_MAX, decide, type PostTransaction, type Recorded, type WalletState } from '../../src/ledger/decide.ts'

const NOW = new Date('2026-01-02T03:04:05.678Z')
const wallet = (balance: number, updated_at = new Date(0)): WalletState => ({ id: 1, balance, sequence: 4, updated_at })
const request = (entry: 'credit' | 'debit', amount: number, trans_id = 'a'): PostTransaction => ({
  ...{ user_id: 9, entry, amount, trans_id },
})
const stamp = { id: 77, now: NOW }

describe('one request against one wallet', () => {
  test('a credit is added and numbered', () => {
    const state = wallet(500)
    const outcome = decide(state, undefined, request('credit', 100), stamp)
    expect(outcome).toEqual({
      kind: 'accepted',
      transaction: {
        ...{ id: 77, wallet_id: 1, sequence: 5, entry: 'credit', amount: 100, balance: 600, trans_id: 'a' },
        created_at: NOW,
      },
    })
    expect(state).toMatchObject({ balance: 600, sequence: 5, updated_at: NOW })
  })

  test('a debit of all there is leaves nothing', () => {
    expect(decide(wallet(500), undefined, request('debit', 500), stamp)).toMatchObject({
      kind: 'accepted',
      transaction: { balance: 0 },
    })
  })

  test('a debit of one kobo more is refused and moves nothing', () => {
    const state = wallet(500)
    expect(decide(state, undefined, request('debit', 501), stamp)).toMatchObject({
      kind: 'refused',
      replayed: false,
      refusal: { code: 'insufficient_funds', balance: 500, amount: 501 },
    })
    expect(state).toMatchObject({ balance: 500, sequence: 4 })
  })

  test('a credit past the largest balance is refused, also where the sum is no exact number', () => {
    const atLimit = decide(wallet(BALANCE_MAX - 1), undefined, request('credit', 1), stamp)
    expect(atLimit).toMatchObject({ kind: 'accepted', transaction: { balance: BALANCE_MAX } })
    for (const amount of [1, 2, BALANCE_MAX]) {
      const outcome = decide(wallet(BALANCE_MAX), undefined, request('credit', amount), stamp)
      expect(outcome).toMatchObject({ kind: 'refused', refusal: { code: 'balance_limit' } })
    }
  })

  test('time never runs backwards against sequence', () => {
    const ahead = new Date(NOW.getTime() + 60_000)
    const outcome = decide(wallet(0, ahead), undefined, request('credit', 1), stamp)
    expect(outcome).toMatchObject({ transaction: { created_at: ahead } })
  })

  const accepted = decide(wallet(500), undefined, request('credit', 100), stamp)
  const refused = decide(wallet(0), undefined, request('debit', 100), stamp)
  const transaction: Recorded =
    accepted.kind === 'accepted' ? { kind: 'transaction', transaction: accepted.transaction } : expect.unreachable()
  const refusal: Recorded =
    refused.kind === 'refused' ? { kind: 'refusal', refusal: refused.refusal } : expect.unreachable()

  test('the same again is answered with the first answer and moves nothing', () => {
    const state = wallet(600)
    expect(decide(state, transaction, request('credit', 100), stamp)).toEqual({
      kind: 'replayed',
      transaction: transaction.kind === 'transaction' && transaction.transaction,
    })
    expect(state).toEqual(wallet(600))
  })

  test('a refusal stays refused when the balance would cover it now', () => {
    const state = wallet(1_000)
    expect(decide(state, refusal, request('debit', 100), stamp)).toMatchObject({
      kind: 'refused',
      replayed: true,
      refusal: { code: 'insufficient_funds', balance: 0 },
    })
    expect(state).toEqual(wallet(1_000))
  })

  test.each([
    [transaction, request('credit', 101), ['amount']],
    [transaction, request('debit', 100), ['entry']],
    [refusal, request('credit', 1), ['entry', 'amount']],
  ])('another transaction under a used trans_id is a mismatch that names what differs', (recorded, other, fields) => {
    expect(decide(wallet(600), recorded, other, stamp)).toEqual({ kind: 'mismatched', fields })
  })
})

test('whatever comes, the balance is the sum of what was accepted and stays within its bounds', () => {
  const requests = fc.array(
    fc.record({
      entry: fc.constantFrom('credit' as const, 'debit' as const),
      amount: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: BALANCE_MAX })),
    }),
  )
  fc.assert(
    fc.property(requests, (list) => {
      const state: WalletState = { id: 1, balance: 0, sequence: 0, updated_at: new Date(0) }
      let sum = 0n
      let accepted = 0
      for (const [index, { entry, amount }] of list.entries()) {
        const outcome = decide(state, undefined, request(entry, amount, String(index)), { id: index, now: NOW })
        if (outcome.kind === 'accepted') {
          sum += entry === 'credit' ? BigInt(amount) : -BigInt(amount)
          accepted += 1
          expect(outcome.transaction.sequence).toBe(accepted)
        }
        expect(BigInt(state.balance)).toBe(sum)
        expect(state.balance).toBeGreaterThanOrEqual(0)
        expect(Number.isSafeInteger(state.balance)).toBe(true)
      }
    }),
  )
})
