import { randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { expect, type TestDatabase } from '@streamledger/testkit'
import fc from 'fast-check'
import { ApiError } from '../../src/errors.ts'
import type { PostTransaction } from '../../src/ledger/decide.ts'
import { PostingQueue } from '../../src/ledger/posting-queue.ts'
import { claimTopic } from '../claim-topic.ts'

// Random histories on the real database, through two API replicas, against a model that anyone can check by reading it.

const WALLETS = 3
const REPLICAS = 2
const OPTIONS = { batchesMax: 2, batchRowsMax: 4, waitingMax: 1_000, timeoutMs: 10_000 }

type Request = { wallet: number; entry: 'credit' | 'debit'; amount: number; trans_id: string }
/** Requests that are sent at once; each wallet's go through one replica, so that the order of their arrival is known. */
type Phase = { replicaOf: number[]; requests: Request[] }
type Answer =
  | { sequence: number; balance: number; replayed: boolean }
  | { code: string; balance?: number; fields?: string[]; replayed?: boolean }

const request = fc.record({
  wallet: fc.nat({ max: WALLETS - 1 }),
  entry: fc.constantFrom('credit' as const, 'debit' as const),
  amount: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(Number.MAX_SAFE_INTEGER)),
  trans_id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), // few, so that most are used again
})
const phase = fc.record({
  replicaOf: fc.array(fc.nat({ max: REPLICAS - 1 }), { minLength: WALLETS, maxLength: WALLETS }),
  requests: fc.array(request, { minLength: 1, maxLength: 12 }),
})

/** One wallet, as the contract describes it. */
class Model {
  balance = 0n
  sequence = 0
  #recorded = new Map<string, { request: Request; answer: Answer }>()

  answer(request: Request): Answer {
    const first = this.#recorded.get(request.trans_id)
    if (first) return this.#again(first, request)
    const answer = this.#decide(request)
    this.#recorded.set(request.trans_id, { request, answer })
    return answer
  }

  #again({ request: first, answer }: { request: Request; answer: Answer }, request: Request): Answer {
    const fields = (['entry', 'amount'] as const).filter((field) => first[field] !== request[field])
    if (fields.length > 0) return { code: 'trans_id_reused', fields }
    return { ...answer, replayed: true }
  }

  #decide({ entry, amount }: Request): Answer {
    const balance = this.balance + (entry === 'credit' ? BigInt(amount) : -BigInt(amount))
    if (balance < 0n) return this.#refuse('insufficient_funds')
    if (balance > BigInt(Number.MAX_SAFE_INTEGER)) return this.#refuse('balance_limit')
    this.balance = balance
    this.sequence += 1
    return { sequence: this.sequence, balance: Number(balance), replayed: false }
  }

  #refuse(code: string): Answer {
    return { code, balance: Number(this.balance), replayed: false }
  }
}

async function answerOf(posting: PostingQueue, request: PostTransaction): Promise<Answer> {
  try {
    const { transaction, replayed } = await posting.post(request)
    return { sequence: transaction.sequence, balance: transaction.balance, replayed }
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, ...error.details }
    throw error
  }
}

async function makeUsers(db: Db): Promise<number[]> {
  const people = Array.from({ length: WALLETS }, () => ({
    ...{ first_name: 'Ada', last_name: 'Obi', password: 'x' },
    email: `${randomUUID()}@example.com`,
  }))
  const users = await db.insertInto('users').values(people).returning('id').execute()
  await db
    .insertInto('wallets')
    .values(users.map(({ id }) => ({ user_id: id })))
    .execute()
  return users.map(({ id }) => id)
}

async function readStored(db: Db, user_id: number) {
  const { id, balance, sequence } = await db
    .selectFrom('wallets')
    .select(['id', 'balance', 'sequence'])
    .where('user_id', '=', user_id)
    .executeTakeFirstOrThrow()
  const history = await db
    .selectFrom('transactions')
    .select(['sequence', 'balance'])
    .where('wallet_id', '=', id)
    .orderBy('sequence')
    .execute()
  const events = await db
    .selectFrom('outbox')
    .select('payload')
    .where('key', '=', String(user_id))
    .orderBy('id')
    .execute()
  return {
    balance,
    sequence,
    history,
    events: events.map(({ payload }) => {
      const event = JSON.parse(payload)
      return { sequence: event.sequence, balance: event.balance }
    }),
  }
}

/** Plays so many histories; throws at the first that is answered or stored otherwise than the model says. */
export async function playRandomHistories(database: TestDatabase, runs: number): Promise<void> {
  await claimTopic(database.pool)
  const databases = Array.from({ length: REPLICAS }, () =>
    createDatabase(database.url, { applicationName: 'history', connectionsMax: 3, statementTimeoutMs: 10_000 }),
  )
  const replicas = databases.map(({ pool }) => new PostingQueue(pool, OPTIONS))

  async function play(phases: Phase[]): Promise<void> {
    const users = await makeUsers(database.db)
    const models = users.map(() => new Model())
    const accepted: { sequence: number; balance: number }[][] = users.map(() => [])
    for (const { replicaOf, requests } of phases) {
      const answers = requests.map(({ wallet, ...body }) =>
        answerOf(replicas[replicaOf[wallet] as number] as PostingQueue, { user_id: users[wallet] as number, ...body }),
      )
      const wanted = requests.map((sent) => (models[sent.wallet] as Model).answer(sent))
      expect(await Promise.all(answers)).toEqual(wanted)
      for (const [index, { wallet }] of requests.entries()) {
        const answer = wanted[index] as Answer
        if ('sequence' in answer && !answer.replayed) {
          accepted[wallet]?.push({ sequence: answer.sequence, balance: answer.balance })
        }
      }
    }
    for (const [wallet, user] of users.entries()) {
      const { balance, sequence } = models[wallet] as Model
      const history = accepted[wallet]
      expect(await readStored(database.db, user)).toEqual({
        balance: Number(balance),
        sequence,
        history,
        events: history,
      })
    }
    // By key, the outbox is read row by row: it is kept short.
    await database.db.deleteFrom('outbox').execute()
  }

  await fc.assert(fc.asyncProperty(fc.array(phase, { minLength: 1, maxLength: 4 }), play), {
    numRuns: runs,
    endOnFailure: true,
  })
  await Promise.all(databases.map(({ close }) => close()))
}
