import { partitionFor } from '@streamledger/events'
import { describe, expect } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { claim, credit, debit, ledgerOf, makeUser, makeUsers, PARTITIONS, type Replica, test } from './wallets.ts'

// A replica decides on wallets as it last saw them. Here its memory is out of date in every possible way.

/** Makes each of these replicas remember the wallet with this balance. */
async function remember(replicas: readonly Replica[], user: number, balance: number): Promise<void> {
  const [first, ...others] = replicas
  const opening = credit(user, balance)
  await first?.post(opening)
  for (const other of others) await other.post(opening)
}

describe('a wallet that another replica has posted to', () => {
  test('is never written over, whichever of them comes next', async ({ database: { db, pool }, replicas }) => {
    const user = await makeUser(pool)
    await remember(replicas, user, 100)
    let balance = 100
    for (const turn of [0, 1, 2, 0, 0, 2, 1, 1, 0, 2]) {
      balance += 7
      const posted = await replicas[turn]?.post(credit(user, 7))
      expect(posted).toMatchObject({ replayed: false, transaction: { balance } })
    }
    expect(await ledgerOf(db, user)).toEqual({ balance, transactions: 11, events: 11, refusals: 0 })
  })

  test('refuses what it no longer covers, and covers what it once did not', async ({
    database: { db, pool },
    replicas: [here, there],
  }) => {
    const user = await makeUser(pool)
    await remember([here, there] as Replica[], user, 100)
    await there?.post(debit(user, 100))
    expect(await here?.outcome(debit(user, 50))).toEqual({ code: 'insufficient_funds', balance: 0, replayed: false })
    await here?.post(credit(user, 30))
    expect(await there?.outcome(debit(user, 30))).toMatchObject({ transaction: { balance: 0 } })
    expect(await ledgerOf(db, user)).toEqual({ balance: 0, transactions: 4, events: 4, refusals: 1 })
  })

  test('answers there what was recorded here', async ({ database: { db, pool }, replicas: [here, there] }) => {
    const user = await makeUser(pool)
    await remember([here, there] as Replica[], user, 100)
    const [accepted, refused] = [credit(user, 5), debit(user, 1_000)]
    const posted = await there?.post(accepted)
    expect(await here?.outcome({ ...accepted, amount: 6 })).toEqual({ code: 'trans_id_reused', fields: ['amount'] })
    expect(await here?.outcome(accepted)).toEqual({ ...posted, replayed: true })
    const refusal = await there?.outcome(refused)
    expect(refusal).toEqual({ code: 'insufficient_funds', balance: 105, replayed: false })
    expect(await here?.outcome(refused)).toEqual({ ...refusal, replayed: true })
    expect(await here?.outcome({ ...refused, entry: 'credit' })).toEqual({ code: 'trans_id_reused', fields: ['entry'] })
    expect(await ledgerOf(db, user)).toEqual({ balance: 105, transactions: 2, events: 2, refusals: 1 })
  })

  test('answers what it recorded itself, while it is as it is remembered, and goes on', async ({
    database: { db, pool },
    replicas: [replica],
  }) => {
    const user = await makeUser(pool)
    const [accepted, refused] = [credit(user, 5), debit(user, 1_000)]
    const posted = await replica?.post(accepted)
    await replica?.outcome(refused)
    for (const amount of [1, 2, 3]) {
      const answers = await Promise.all(
        [accepted, refused, credit(user, amount), accepted].map(replica?.outcome as never),
      )
      expect(answers[0]).toEqual({ ...posted, replayed: true })
      expect(answers[1]).toEqual({ code: 'insufficient_funds', balance: 5, replayed: true })
      expect(answers[3]).toEqual(answers[0])
    }
    expect(await ledgerOf(db, user)).toEqual({ balance: 11, transactions: 4, events: 4, refusals: 1 })
  })
})

describe('a wallet whose version came a second time with another history, as after a fail-over that lost commits', () => {
  const HOUR_AHEAD = new Date(Date.now() + 3_600_000)
  const changes: [string, unknown, object][] = [
    ['balance', 70, { balance: 75, sequence: 2 }],
    ['sequence', 4, { balance: 105, sequence: 5 }],
    ['updated_at', HOUR_AHEAD, { balance: 105, sequence: 2, created_at: HOUR_AHEAD }],
  ]

  test.for(changes)(
    'is decided on anew when its %s differs',
    async ([column, value, expected], { database, replicas }) => {
      const user = await makeUser(database.pool)
      await remember(replicas, user, 100)
      await database.pool.query(`update wallets set ${column} = $1 where user_id = $2`, [value, user])
      expect(await replicas[0]?.outcome(credit(user, 5))).toMatchObject({ transaction: expected })
    },
  )

  test.for(changes)(
    'is so too after a replay, when its %s differs',
    async ([column, value, expected], { database, replicas }) => {
      const user = await makeUser(database.pool)
      const opening = credit(user, 100)
      await replicas[0]?.post(opening)
      await database.pool.query(`update wallets set ${column} = $1 where user_id = $2`, [value, user])
      expect(await replicas[0]?.outcome(opening)).toMatchObject({ replayed: true })
      expect(await replicas[0]?.outcome(credit(user, 5))).toMatchObject({ transaction: expected })
    },
  )
})

describe('the topic that was remembered', () => {
  const MORE_PARTITIONS = 2 * PARTITIONS

  const partitionOf = (user: number, partitions: number): number => partitionFor(String(user), partitions)

  async function partitionsOf(pool: Pool): Promise<{ user: number; partition: number }[]> {
    const { rows } = await pool.query('select key::int as user, partition from outbox order by id')
    return rows
  }

  test('is not used once it has changed: all events go to where the new partitions have them', async ({
    createDatabase,
    openReplica,
  }) => {
    const { pool, url } = await createDatabase()
    await claim(pool)
    const replicas = [openReplica({ url }), openReplica({ url })]
    const users = await makeUsers(pool, 40)
    for (const user of users) await remember(replicas, user, 100)
    await pool.query('update topic set partitions = $1, generation = generation + 1', [MORE_PARTITIONS])
    for (const replica of replicas) await Promise.all(users.map((user) => replica.post(credit(user, 1))))
    const rows = await partitionsOf(pool)
    expect(rows).toHaveLength(3 * users.length)
    expect(rows.slice(0, users.length)).toEqual(
      users.map((user) => ({ user, partition: partitionOf(user, PARTITIONS) })),
    )
    for (const { user, partition } of rows.slice(users.length))
      expect(partition).toBe(partitionOf(user, MORE_PARTITIONS))
    expect(rows.some(({ partition }) => partition >= PARTITIONS)).toBe(true)
  })

  test('is not used during a pause: nothing is posted, replays are answered, and it goes on afterwards', async ({
    createDatabase,
    openReplica,
  }) => {
    const { db, pool, url } = await createDatabase()
    await claim(pool)
    const replicas = [openReplica({ url }), openReplica({ url })]
    const users = await makeUsers(pool, 10)
    const openings = users.map((user) => credit(user, 100))
    for (const replica of replicas) await Promise.all(openings.map((opening) => replica.post(opening)))
    for (const round of [1, 2]) {
      await pool.query('update topic set paused = true, generation = generation + 1')
      for (const { outcome } of replicas) {
        for (const user of users) expect(await outcome(credit(user, 1))).toEqual({ code: 'paused' })
        for (const opening of openings) expect(await outcome(opening)).toMatchObject({ replayed: true })
      }
      await pool.query('update topic set paused = false, generation = generation + 1')
      for (const replica of replicas) await Promise.all(users.map((user) => replica.post(credit(user, 1))))
      for (const user of users) expect(await ledgerOf(db, user)).toMatchObject({ balance: 100 + 2 * round })
    }
  })

  test('does not hide a replay that shares its batch with a wallet that must be read during a pause', async ({
    createDatabase,
    openReplica,
  }) => {
    const { pool, url } = await createDatabase()
    await claim(pool)
    const replica = openReplica({ url, batchesMax: 1 })
    const [known, stranger] = await makeUsers(pool, 2)
    const opening = credit(known as number, 100)
    await replica.post(opening)
    await pool.query('update topic set paused = true, generation = generation + 1')
    // The first is alone in its batch, the next two share one.
    const outcomes = [opening, credit(stranger as number, 1), opening].map(replica.outcome)
    expect(await Promise.all(outcomes)).toMatchObject([{ replayed: true }, { code: 'paused' }, { replayed: true }])
  })
})

test('more wallets than are remembered are posted to as if all were', async ({
  database: { pool },
  replicas: [replica],
}) => {
  const REMEMBERED_MAX = 20_000
  const users = await makeUsers(pool, REMEMBERED_MAX + 500)
  const postAll = (some: readonly number[]) => Promise.all(some.map((user) => replica?.post(credit(user, 3))))
  await postAll(users)
  // Some wallets are forgotten and some remembered; reading a forgotten one evicts another.
  const again = [...users.slice(0, 1_000), ...users.slice(-1_000)]
  await postAll(again)
  const { rows } = await pool.query(
    `select balance, sequence, count(*)::int as wallets from wallets
      where user_id = any($1) group by balance, sequence order by balance`,
    [users],
  )
  expect(rows).toEqual([
    { balance: 3, sequence: 1, wallets: users.length - again.length },
    { balance: 6, sequence: 2, wallets: again.length },
  ])
})
