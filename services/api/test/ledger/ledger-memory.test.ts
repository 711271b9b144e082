import { describe, expect, test } from '@streamledger/testkit'
import { createLedgerMemory, type LedgerMemory } from '../../src/ledger/ledger-memory.ts'
import type { LedgerRead, WalletRead } from '../../src/ledger/read-ledger.ts'
import { credit } from './wallets.ts'

// Free of I/O: what is remembered, and for how long. remembered-wallets.test.ts covers memory that is out of date.

const WALLETS_MAX = 20_000
const TOPIC = { generation: 1, partitions: 12, paused: false, event_source: 'urn:test' }
const NOTHING_TO_WRITE = { generation: 1, wallets: [], entries: [] }
const NOTHING_WRITTEN = { unwritten: new Map(), recorded: new Map() }

const walletOf = (user_id: number): WalletRead => ({
  ...{ id: user_id, user_id, currency: 'NGN', balance: 0, sequence: 0, version: 0, updated_at: new Date(0) },
})

const readOf = (users: readonly number[], topic = TOPIC): LedgerRead => ({
  topic,
  synchronous: false,
  requests: users.map((user) => ({ wallet: walletOf(user), recorded: undefined })),
})

function learn(memory: LedgerMemory, users: readonly number[], topic = TOPIC): void {
  memory.learn(readOf(users, topic), NOTHING_TO_WRITE, NOTHING_WRITTEN)
}

function take(memory: LedgerMemory, users: readonly number[]): number[] {
  return [...memory.take(users.map((user) => credit(user, 1))).wallets.keys()]
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe('the memory of wallets', () => {
  test('has a bound, and forgets the wallets that were used longest ago', () => {
    const memory = createLedgerMemory()
    for (const first of range(0, 49)) learn(memory, range(first * 500 + 1, (first + 1) * 500))
    expect(take(memory, range(1, 25_000))).toEqual(range(25_000 - WALLETS_MAX + 1, 25_000))
  })

  test('keeps a wallet that is used again and again', () => {
    const memory = createLedgerMemory()
    learn(memory, [1])
    for (const first of range(1, 80)) {
      expect(take(memory, [1])).toEqual([1])
      learn(memory, [1, ...range(first * 500 + 1, (first + 1) * 500)])
    }
  })

  test('forgets what a batch took out, until the batch has taught how it ended', () => {
    const memory = createLedgerMemory()
    learn(memory, [1, 2])
    expect(take(memory, [1])).toEqual([1])
    expect(take(memory, [1, 2])).toEqual([2])
  })

  test('knows no wallets while it does not know the topic, which it never does during a pause', () => {
    const memory = createLedgerMemory()
    learn(memory, [1])
    learn(memory, [2], { ...TOPIC, paused: true })
    expect(memory.take([credit(1, 1)])).toEqual({ topic: undefined, wallets: new Map() })
    learn(memory, [3])
    expect(take(memory, [1, 3])).toEqual([1, 3])
  })
})
