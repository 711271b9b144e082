import { randomUUID } from 'node:crypto'
import { claimInstallation, type Db } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { test as base, expect } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { ApiError, type ErrorCode, type ErrorDetails } from '../../src/errors.ts'
import type { PostTransaction } from '../../src/ledger/decide.ts'
import { type Posted, PostingQueue } from '../../src/ledger/posting-queue.ts'

export const PARTITIONS = 12
const REPLICAS = 3
const OPTIONS = { batchesMax: 2, batchRowsMax: 500, waitingMax: 100_000, timeoutMs: 10_000 }

/** The transaction, or the code of the refusal. */
export type Outcome = Posted | ({ code: ErrorCode } & ErrorDetails)

export interface Replica extends Pick<PostingQueue, 'post' | 'close'> {
  /** The application name of its connections. */
  applicationName: string
  outcome(request: PostTransaction): Promise<Outcome>
}

/** Like an API process: it has its own connections and its own memory. */
export type OpenReplica = (options?: { url?: string; batchesMax?: number }) => Replica

/** vitest's `test` with three API replicas on the file's own database, and with more of them where they are asked for. */
export const test = base
  .extend('claimed', { scope: 'file', auto: true }, async ({ database }) => claim(database.pool))
  .extend('openReplica', { scope: 'file' }, async ({ database, claimed: _ }, { onCleanup }): Promise<OpenReplica> => {
    const closing: (() => Promise<void>)[] = []
    onCleanup(async () => void (await Promise.all(closing.map((close) => close()))))
    return ({ url = database.url, batchesMax = OPTIONS.batchesMax } = {}) => {
      const applicationName = `test ${randomUUID()}`
      const { pool, close } = createDatabase(url, {
        ...{ applicationName, connectionsMax: batchesMax + 2 },
        ...{ statementTimeoutMs: 10_000, lockTimeoutMs: 250, planOnce: true },
      })
      const queue = new PostingQueue(pool, { ...OPTIONS, batchesMax })
      closing.push(() => queue.close().then(close))
      return Object.assign(queue, { applicationName, outcome: (request: PostTransaction) => outcomeOf(queue, request) })
    }
  })
  .extend('replicas', { scope: 'file' }, ({ openReplica }) => Array.from({ length: REPLICAS }, () => openReplica()))

export function claim(pool: Pool) {
  return claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: PARTITIONS })
}

async function outcomeOf(posting: PostingQueue, request: PostTransaction): Promise<Outcome> {
  try {
    return await posting.post(request)
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, ...error.details }
    throw error
  }
}

/** Users with an empty wallet each, by their ids. */
export async function makeUsers(pool: Pool, count: number): Promise<number[]> {
  const { rows } = await pool.query<{ user_id: number }>(
    `with person as (
       insert into users (first_name, last_name, email, password)
       select 'Ada', 'Obi', gen_random_uuid() || '@example.com', 'x' from generate_series(1, $1::int) returning id
     )
     insert into wallets (user_id) select id from person returning user_id`,
    [count],
  )
  return rows.map(({ user_id }) => user_id)
}

export async function makeUser(pool: Pool): Promise<number> {
  const [user] = await makeUsers(pool, 1)
  return user as number
}

export const credit = (user_id: number, amount: number, trans_id: string = randomUUID()): PostTransaction => ({
  ...{ user_id, entry: 'credit', amount, trans_id },
})
export const debit = (user_id: number, amount: number, trans_id: string = randomUUID()): PostTransaction => ({
  ...{ user_id, entry: 'debit', amount, trans_id },
})

/** The wallet of a user, and whether it matches its history, with one event per transaction. */
export async function ledgerOf(db: Db, user_id: number) {
  const wallet = await db.selectFrom('wallets').selectAll().where('user_id', '=', user_id).executeTakeFirstOrThrow()
  const history = await db
    .selectFrom('transactions')
    .selectAll()
    .where('wallet_id', '=', wallet.id)
    .orderBy('sequence')
    .execute()
  const events = await db
    .selectFrom('outbox')
    .select(['payload', 'partition'])
    .where('key', '=', String(user_id))
    .orderBy('id')
    .execute()
  const refusals = await db.selectFrom('refusals').select('trans_id').where('wallet_id', '=', wallet.id).execute()
  let balance = 0
  for (const [index, row] of history.entries()) {
    balance += row.entry === 'credit' ? row.amount : -row.amount
    expect(row).toMatchObject({ sequence: index + 1, balance })
    const value = JSON.parse(events[index]?.payload ?? '{}')
    expect(value).toMatchObject({
      ...{ user_id, wallet_id: wallet.id, transaction_id: row.id, trans_id: row.trans_id, entry: row.entry },
      ...{ amount: row.amount, balance: row.balance, sequence: row.sequence, timestamp: row.created_at.toISOString() },
    })
  }
  expect(wallet.balance).toBe(balance)
  expect(wallet.sequence).toBe(history.length)
  expect(new Set(events.map(({ partition }) => partition)).size).toBeLessThanOrEqual(1)
  return { balance, transactions: history.length, events: events.length, refusals: refusals.length }
}
