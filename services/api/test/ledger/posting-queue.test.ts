import { randomUUID } from 'node:crypto'
import { claimInstallation, type Db } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { afterAll, test as base, expect, startTcpProxy, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { ApiError } from '../../src/errors.ts'
import type { PostTransaction } from '../../src/ledger/decide.ts'
import { PostingQueue } from '../../src/ledger/posting-queue.ts'
import { credit, debit, ledgerOf } from './wallets.ts'

const OPTIONS = { batchesMax: 2, batchRowsMax: 100, waitingMax: 1_000, timeoutMs: 10_000 }
const PARTITIONS = 12

const claimed = base.extend('claimed', { scope: 'file', auto: true }, async ({ database }) => {
  const installation = { installationId: randomUUID(), topic: 'transactions', partitions: PARTITIONS }
  return claimInstallation(database.pool, installation)
})

/** Two API replicas on one database, each with connections of its own. */
const test = claimed.extend('replicas', { scope: 'file' }, async ({ database }, { onCleanup }) => {
  const open = () =>
    createDatabase(database.url, { applicationName: 'test', connectionsMax: 3, statementTimeoutMs: 10_000 })
  const databases = [open(), open()]
  onCleanup(async () => void (await Promise.all(databases.map(({ close }) => close()))))
  return databases.map(({ pool }) => new PostingQueue(pool, OPTIONS))
})

afterAll(() => expect(unexpected).toEqual([]))
const unexpected: unknown[] = []

async function makeUser(db: Db): Promise<number> {
  const names = { first_name: 'Ada', last_name: 'Obi', password: 'x' }
  const { id } = await db
    .insertInto('users')
    .values({ ...names, email: `${randomUUID()}@example.com` })
    .returning('id')
    .executeTakeFirstOrThrow()
  await db.insertInto('wallets').values({ user_id: id }).execute()
  return id
}

/** The transaction, or the code of the refusal. */
async function outcomeOf(posting: PostingQueue | undefined, request: PostTransaction) {
  try {
    return await (posting as PostingQueue).post(request)
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, ...error.details }
    unexpected.push(error)
    throw error
  }
}

/** Tries again as a client should. */
async function retried(posting: PostingQueue, request: PostTransaction) {
  const TRIES_MAX = 200
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await outcomeOf(posting, request)
    const again = 'code' in outcome && (outcome.code === 'busy' || outcome.code === 'outcome_unknown')
    if (!again || attempt >= TRIES_MAX) return outcome
  }
}

test('an accepted transaction, the balance and the event appear together', async ({
  database: { db },
  replicas: [posting],
}) => {
  const user = await makeUser(db)
  expect(await outcomeOf(posting, credit(user, 500))).toMatchObject({
    replayed: false,
    transaction: { balance: 500, sequence: 1 },
  })
  expect(await ledgerOf(db, user)).toEqual({ balance: 500, transactions: 1, events: 1, refusals: 0 })
})

test('a debit larger than the balance changes nothing, and stays refused', async ({
  database: { db },
  replicas: [posting],
}) => {
  const user = await makeUser(db)
  await outcomeOf(posting, credit(user, 500))
  const refused = debit(user, 501)
  const refusal = { code: 'insufficient_funds', balance: 500 }
  expect(await outcomeOf(posting, refused)).toEqual({ ...refusal, replayed: false })
  await outcomeOf(posting, credit(user, 1_000))
  expect(await outcomeOf(posting, refused)).toEqual({ ...refusal, replayed: true })
  expect(await ledgerOf(db, user)).toEqual({ balance: 1_500, transactions: 2, events: 2, refusals: 1 })
})

test('a replay gets the first answer and has no effect', async ({ database: { db }, replicas: [posting] }) => {
  const user = await makeUser(db)
  const request = credit(user, 500)
  const first = await outcomeOf(posting, request)
  await outcomeOf(posting, debit(user, 100))
  expect(await outcomeOf(posting, request)).toEqual({ ...first, replayed: true })
  expect(await ledgerOf(db, user)).toMatchObject({ balance: 400, transactions: 2, events: 2 })
})

test('another transaction under a used trans_id is refused, naming what differs', async ({
  database: { db },
  replicas: [posting],
}) => {
  const user = await makeUser(db)
  await outcomeOf(posting, credit(user, 500, 'once'))
  expect(await outcomeOf(posting, debit(user, 400, 'once'))).toEqual({
    code: 'trans_id_reused',
    fields: ['entry', 'amount'],
  })
  expect(await ledgerOf(db, user)).toMatchObject({ balance: 500, transactions: 1 })
})

test("a trans_id is a wallet's own: another wallet may use the same", async ({
  database: { db },
  replicas: [posting],
}) => {
  const [one, two] = [await makeUser(db), await makeUser(db)]
  await outcomeOf(posting, credit(one, 500, 'shared'))
  expect(await outcomeOf(posting, credit(two, 900, 'shared'))).toMatchObject({ replayed: false })
})

test('of 100 debits at once over two replicas exactly the seven that fit succeed', async ({
  database: { db },
  replicas,
}) => {
  const user = await makeUser(db)
  await outcomeOf(replicas[0], credit(user, 799))
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, (_, index) => retried(replicas[index % 2] as PostingQueue, debit(user, 100))),
  )
  expect(outcomes.filter((outcome) => 'transaction' in outcome)).toHaveLength(7)
  expect(outcomes.filter((outcome) => 'code' in outcome && outcome.code === 'insufficient_funds')).toHaveLength(93)
  expect(await ledgerOf(db, user)).toEqual({ balance: 99, transactions: 8, events: 8, refusals: 93 })
})

test('one trans_id many times at once, on both replicas, has one effect and equal answers', async ({
  database: { db },
  replicas,
}) => {
  const user = await makeUser(db)
  const request = credit(user, 500)
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, index) => retried(replicas[index % 2] as PostingQueue, request)),
  )
  const [first, ...others] = outcomes.map((outcome) => 'transaction' in outcome && outcome.transaction)
  expect(first).toMatchObject({ balance: 500, sequence: 1 })
  for (const other of others) expect(other).toEqual(first)
  expect(outcomes.filter((outcome) => 'replayed' in outcome && !outcome.replayed)).toHaveLength(1)
  expect(await ledgerOf(db, user)).toEqual({ balance: 500, transactions: 1, events: 1, refusals: 0 })
})

test('requests of one wallet take effect in the order of their arrival', async ({
  database: { db },
  replicas: [posting],
}) => {
  const user = await makeUser(db)
  const outcomes = await Promise.all(
    Array.from({ length: 250 }, (_, index) => outcomeOf(posting, index % 2 === 0 ? credit(user, 5) : debit(user, 5))),
  )
  expect(outcomes.map((outcome) => 'transaction' in outcome && outcome.transaction.sequence)).toEqual(
    Array.from({ length: 250 }, (_, index) => index + 1),
  )
})

test('two replicas that post to the same wallets in opposite orders never end in a deadlock', async ({
  database: { db },
  replicas,
}) => {
  const users = await Promise.all(Array.from({ length: 20 }, () => makeUser(db)))
  await Promise.all(
    replicas.map(async (posting, replica) => {
      for (let round = 0; round < 15; round += 1) {
        const order = replica === 0 ? users : users.toReversed()
        await Promise.all(order.map((user) => retried(posting, credit(user, 1))))
      }
    }),
  )
  for (const user of users)
    expect(await ledgerOf(db, user)).toMatchObject({ balance: 30, transactions: 30, events: 30 })
  const { rows } = await sql`select deadlocks from pg_stat_database where datname = current_database()`.execute(db)
  expect(rows).toEqual([{ deadlocks: 0 }])
})

test('a row that the database refuses takes no neighbour with it', async ({ database: { db, pool } }) => {
  // One batch at a time: while the first is under way, the other three gather in the next.
  const posting = new PostingQueue(pool, { ...OPTIONS, batchesMax: 1 })
  const [first, ahead, bad, behind] = [await makeUser(db), await makeUser(db), await makeUser(db), await makeUser(db)]
  const settled = await Promise.allSettled([
    posting.post(credit(first, 1)),
    posting.post(credit(ahead, 1)),
    // A NUL, which no text column holds. The HTTP layer refuses it before it comes here.
    posting.post(credit(bad, 1, 'a\u0000b')),
    posting.post(credit(behind, 1)),
  ])
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  for (const user of [first, ahead, behind])
    expect(await ledgerOf(db, user)).toMatchObject({ balance: 1, transactions: 1 })
  expect(await ledgerOf(db, bad)).toMatchObject({ balance: 0, transactions: 0 })
})

test('a user without a wallet is told so', async ({ replicas: [posting] }) => {
  expect(await outcomeOf(posting, credit(999_999_999, 1))).toEqual({ code: 'wallet_not_found' })
})

test('nothing is posted while the topic is paused, replays are still answered', async ({ createDatabase: create }) => {
  const { db, pool } = await create()
  await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 2 })
  const posting = new PostingQueue(pool, OPTIONS)
  const user = await makeUser(db)
  const before = credit(user, 5)
  await posting.post(before)
  await pool.query('update topic set paused = true, generation = generation + 1')
  expect(await outcomeOf(posting, credit(user, 5))).toEqual({ code: 'paused' })
  expect(await outcomeOf(posting, before)).toMatchObject({ replayed: true })
  await pool.query('update topic set paused = false, generation = generation + 1')
  expect(await outcomeOf(posting, credit(user, 5))).toMatchObject({ transaction: { balance: 10 } })
})

test('the waiting room is bounded, and closing answers everyone in it', async ({ database: { db, pool } }) => {
  const posting = new PostingQueue(pool, { ...OPTIONS, waitingMax: 10 })
  const user = await makeUser(db)
  const outcomes = Array.from({ length: 50 }, () => outcomeOf(posting, credit(user, 1)))
  await posting.close()
  expect(posting.pending).toBe(0)
  const codes = (await Promise.all(outcomes)).map((outcome) => ('code' in outcome ? outcome.code : 'posted'))
  expect(codes.filter((code) => code === 'busy').length).toBeGreaterThan(0)
  expect(await ledgerOf(db, user)).toMatchObject({ balance: codes.filter((code) => code === 'posted').length })
})

test('a wallet that somebody has locked holds up nobody else, and is answered in time', async ({
  createDatabase: create,
}) => {
  const { db, url, pool: other } = await create()
  await claimInstallation(other, { installationId: randomUUID(), topic: 'transactions', partitions: 2 })
  const { pool, close } = createDatabase(url, {
    ...{ applicationName: 'test', connectionsMax: 4, statementTimeoutMs: 5_000, lockTimeoutMs: 100 },
  })
  const posting = new PostingQueue(pool, { ...OPTIONS, timeoutMs: 2_000 })
  const [one, two, ...neighbours] = await Promise.all(Array.from({ length: 10 }, () => makeUser(db)))
  const holder = await other.connect()
  await holder.query('begin')
  await holder.query('select id from wallets where user_id in ($1, $2) for update', [one, two])

  // As many as there are batches at once: later requests must not be left waiting behind them.
  const held = [one, two].map((user) => outcomeOf(posting, credit(user as number, 1, 'held')))
  let slowestMs = 0
  await Promise.all(
    neighbours.map(async (user) => {
      for (let n = 0; n < 20; n += 1) {
        const since = performance.now()
        expect(await outcomeOf(posting, credit(user, 1))).toMatchObject({ replayed: false })
        slowestMs = Math.max(slowestMs, performance.now() - since)
      }
    }),
  )
  expect(slowestMs).toBeLessThan(1_500)
  expect((await Promise.all(held)).map((outcome) => 'code' in outcome && outcome.code)).toEqual([
    'contended',
    'contended',
  ])

  await holder.query('rollback')
  holder.release()
  // The last try may have been under way when its time was up: it is recorded once or not at all.
  expect(await outcomeOf(posting, credit(one as number, 1, 'held'))).toMatchObject({ transaction: { balance: 1 } })
  await posting.close()
  await close()
})

test('a database that falls silent does not keep a client waiting past the bound', async ({
  database: { db, url },
}) => {
  const proxy = await startTcpProxy(url)
  const { pool, close } = createDatabase(proxy.address, {
    applicationName: 'test',
    connectionsMax: 2,
    statementTimeoutMs: 1_000,
  })
  const posting = new PostingQueue(pool, { ...OPTIONS, timeoutMs: 500 })
  const user = await makeUser(db)
  await posting.post(credit(user, 1))
  proxy.hang()
  const since = performance.now()
  expect(await outcomeOf(posting, credit(user, 1))).toEqual({ code: 'outcome_unknown' })
  expect(performance.now() - since).toBeLessThan(1_000)
  await proxy.close()
  await close()
})

test('connections that are cut in mid-batch lose nothing and double nothing', async ({ database: { db, url } }) => {
  const application = `cut-${randomUUID()}`
  const { pool, close } = createDatabase(url, {
    applicationName: application,
    connectionsMax: 3,
    statementTimeoutMs: 10_000,
  })
  const posting = new PostingQueue(pool, OPTIONS)
  const users = await Promise.all(Array.from({ length: 10 }, () => makeUser(db)))
  let posted = 0
  const clients = users.map(async (user) => {
    for (let n = 0; n < 60; n += 1) {
      expect(await retried(posting, credit(user, 1))).toMatchObject({ transaction: { balance: n + 1 } })
      posted += 1
    }
  })
  let cut = 0
  const cutting = waitFor(
    async () => {
      const { rows } = await sql`
        select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${application}`.execute(db)
      cut += rows.length
      return posted >= 590
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  )
  await Promise.all([...clients, cutting])
  expect(cut).toBeGreaterThan(3)
  for (const user of users)
    expect(await ledgerOf(db, user)).toMatchObject({ balance: 60, transactions: 60, events: 60 })
  await close()
}, 90_000)
