import { expect } from '@streamledger/testkit'
import type { PostTransaction } from '../../src/ledger/decide.ts'
import { credit, ledgerOf, makeUser, type Outcome, type Replica, test } from './wallets.ts'

// Measures no times, only that every client gets its turn, and how often.

const CLIENTS = 32

/** Clients of a replica. Each posts what `next` returns, one after the other, until it returns nothing. */
async function drain(replica: Replica, clients: number, next: () => PostTransaction | undefined): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const client = async () => {
    for (let request = next(); request; request = next()) {
      const outcome = await replica.outcome(request)
      outcomes.push(outcome)
      if ('code' in outcome) return // the test fails for it
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return outcomes
}

const isNew = (outcome: Outcome): boolean => 'transaction' in outcome && !outcome.replayed
const isReplay = (outcome: Outcome): boolean => 'transaction' in outcome && outcome.replayed

test('two replicas that fight for one wallet both get their share', async ({ database: { db, pool }, replicas }) => {
  const POSTINGS = 2_000
  const user = await makeUser(pool)
  let left = POSTINGS
  const next = () => (left-- > 0 ? credit(user, 1) : undefined)
  const outcomes = await Promise.all(replicas.slice(0, 2).map((replica) => drain(replica, CLIENTS, next)))
  expect(outcomes.flat().filter(isNew)).toHaveLength(POSTINGS)
  for (const { length } of outcomes) expect(length / POSTINGS).toBeGreaterThan(0.2)
  expect(await ledgerOf(db, user)).toMatchObject({ balance: POSTINGS, transactions: POSTINGS, events: POSTINGS })
})

// A decision on a remembered wallet detects a replay only in its write, which then writes nothing for the wallet.
test.for([1, 2])(
  'new postings get through a flood of replays to their wallet, on %i replicas',
  async (count, { database: { db, pool }, replicas }) => {
    const POSTINGS = 300
    const user = await makeUser(pool)
    const known = Array.from({ length: 50 }, () => credit(user, 1))
    await Promise.all(known.map((request) => replicas[0]?.post(request)))
    const posted = await Promise.all(
      replicas.slice(0, count).map(async (replica) => {
        let left = POSTINGS
        let posting = true
        let asked = 0
        const replays = drain(replica, CLIENTS, () => (posting ? known[asked++ % known.length] : undefined))
        const outcomes = await drain(replica, CLIENTS / 4, () => (left-- > 0 ? credit(user, 1) : undefined))
        posting = false
        expect((await replays).every(isReplay)).toBe(true)
        return outcomes
      }),
    )
    expect(posted.flat().filter(isNew)).toHaveLength(count * POSTINGS)
    expect(await ledgerOf(db, user)).toMatchObject({ balance: known.length + count * POSTINGS })
  },
)
