import { createDatabase, type Database } from '@streamledger/db/database'
import { expect, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { createTransactionIds } from '../../src/ledger/transaction-ids.ts'
import { credit, ledgerOf, makeUser, makeUsers, test } from './wallets.ts'

const BLOCK = 1_000

/** Each has one connection: a draw that hangs blocks all others. */
const drawing = test.extend('drawers', async ({ database }, { onCleanup }) => {
  const opened: Database[] = []
  onCleanup(async () => void (await Promise.all(opened.map(({ close }) => close()))))
  return Array.from({ length: 2 }, (_, index) => {
    const applicationName = `drawer ${index}`
    const options = { applicationName, connectionsMax: 1, statementTimeoutMs: 5_000 }
    const one = createDatabase(database.url, options)
    opened.push(one)
    return { ids: createTransactionIds(one.pool), applicationName }
  })
})

drawing('ids that two replicas draw in blocks, many takers at once, are nobody else’s', async ({ drawers }) => {
  const counts = Array.from({ length: 200 }, (_, index) => (index % 50 === 0 ? 3 * BLOCK : 1 + (index % 90)))
  const taken = await Promise.all(counts.flatMap((count) => drawers.map(({ ids }) => ids.take(count, 1))))
  expect(taken.map((ids) => ids.length)).toEqual(counts.flatMap((count) => drawers.map(() => count)))
  const all = taken.flat()
  expect(new Set(all).size).toBe(all.length)
  expect(all.every(Number.isSafeInteger)).toBe(true)
})

drawing(
  'a draw whose connection is ended fails for those who wait for it, and for nobody after them',
  async ({ database: { pool }, drawers: [drawer] }) => {
    const { ids, applicationName } = drawer as NonNullable<typeof drawer>
    const outcomes = await whileNobodyDraws(pool, async () => {
      const takers = Promise.allSettled([ids.take(10, 1), ids.take(20, 1), ids.take(2 * BLOCK, 1)])
      await endDraw(pool, applicationName)
      return takers
    })
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(await ids.take(2 * BLOCK, 1)).toHaveLength(2 * BLOCK)
  },
)

test('postings are tried again when the draw of their ids fails, and take effect once', async ({
  database: { db, pool },
  openReplica,
}) => {
  const users = await makeUsers(pool, 20)
  const replica = openReplica()
  const { posted } = await whileNobodyDraws(pool, async () => {
    const posted = Promise.all(users.map((user) => replica.post(credit(user, 5))))
    await endDraw(pool, replica.applicationName)
    return { posted }
  })
  await posted
  for (const user of users) expect(await ledgerOf(db, user)).toMatchObject({ balance: 5, transactions: 1, events: 1 })
})

drawing('what was drawn under an earlier generation of the topic is thrown away', async ({ drawers: [drawer] }) => {
  const { ids } = drawer as NonNullable<typeof drawer>
  const [before] = await ids.take(1, 1)
  const [after] = await ids.take(1, 2)
  expect(after).toBeGreaterThan((before as number) + BLOCK - 1)
  const [late] = await ids.take(1, 1) // of a batch that will not be written
  expect(late).toBe((after as number) + 1)
})

drawing(
  'on another timeline of Postgres, ids begin where none was before, for all who draw at once',
  async ({ database: { pool }, drawers }) => {
    // As in a restored database: the row has the timeline of the backup.
    await pool.query('update installation set timeline = timeline - 1')
    const taken = (await Promise.all(drawers.map(({ ids }) => ids.take(5, 1)))).flat()
    const { rows } = await pool.query('select current_timeline() as timeline, timeline as noted from installation')
    const { timeline, noted } = rows[0]
    expect(noted).toBe(timeline)
    expect(Math.min(...taken)).toBeGreaterThan(timeline * 100_000_000_000)
    // Raised once, not once per replica.
    expect(Math.max(...taken)).toBeLessThan(timeline * 100_000_000_000 + 3 * BLOCK)
    // A timeline whose range of ids is used up continues after a margin.
    await pool.query(`select setval('transactions_id_seq', 900_000_000_000)`)
    await pool.query('update installation set timeline = timeline - 1')
    const [, other] = drawers
    expect(Math.min(...((await other?.ids.take(2 * BLOCK, 2)) ?? []))).toBeGreaterThan(901_000_000_000)
  },
)

test('who signs up on another timeline gets ids that nobody had', async ({ database: { pool } }) => {
  await makeUser(pool)
  await pool.query('update installation set timeline = timeline - 1')
  const user = await makeUser(pool)
  expect(user).toBeGreaterThan(100_000_000_000)
  const { rows } = await pool.query('select id from wallets where user_id = $1', [user])
  expect(rows[0].id).toBeGreaterThan(100_000_000_000)
})

/** Makes draws wait for a lock, so that the test can end them midway. */
async function whileNobodyDraws<T>(pool: Pool, work: () => Promise<T>): Promise<T> {
  const holder = await pool.connect()
  try {
    await holder.query('begin')
    await holder.query('alter sequence transactions_id_seq cache 1')
    return await work()
  } finally {
    await holder.query('rollback')
    holder.release()
  }
}

async function endDraw(pool: Pool, applicationName: string): Promise<void> {
  await waitFor(async () => {
    const { rows } = await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = $1 and wait_event_type = 'Lock' and query like '%nextval%'`,
      [applicationName],
    )
    return rows.length > 0
  })
}
