import { randomUUID } from 'node:crypto'
import { claimInstallation, dumpSchema } from '@streamledger/db'
import { expect, test } from '@streamledger/testkit'
import { refuseForDisk } from '../src/growth/check-disk.ts'
import { countTransactions, FIRST_AT, growLedger, lastAt } from '../src/growth/grow-ledger.ts'
import { measureSizes } from '../src/growth/measure-sizes.ts'
import { describeWallets, shareOut } from '../src/growth/share-out.ts'
import { seedUsers } from '../src/ledger/seed-users.ts'
import { verifyLedger, verifyWallets } from '../src/ledger/verify-ledger.ts'

const GIGABYTE = 2 ** 30
const WALLETS = 40

test('a ledger grows into one that posting could have written, and its schema is what it was', async ({
  createDatabase,
}) => {
  const { pool, url } = await createDatabase()
  const topic = await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 4 })
  const users = await seedUsers({ pool, partitions: 4, eventSource: topic.event_source }, WALLETS, FIRST_AT)
  const schema = await dumpSchema(url)
  const chunks: number[] = []
  const client = await pool.connect()
  const growTo = (size: number) =>
    growLedger(client, { users, size, signal: new AbortController().signal, onChunk: (rows) => chunks.push(rows) })
  await growTo(1_000)
  await growTo(3_500)
  client.release()

  expect(chunks).toEqual([1_000, 3_500])
  expect(await dumpSchema(url)).toBe(schema)
  expect(await countTransactions(pool)).toBe(3_500)
  const { transactions, faults } = await verifyLedger(pool)
  expect(transactions).toBe(3_500)
  const none = { wrong_balances: 0, sequence_gaps: 0, chain_breaks: 0, announced_twice: 0, foreign: 0 }
  expect(faults).toEqual({ ...none, unannounced: 3_500 }) // none has an event, not even the openings
  const { rows } = await pool.query(`
    select min(created_at) as first, max(created_at) as last, count(*) filter (where created_at < before)::int as backwards
      from (select created_at, lag(created_at) over (partition by wallet_id order by sequence) as before from transactions)`)
  expect(rows[0]).toMatchObject({ first: FIRST_AT, backwards: 0 })
  expect(rows[0].last.getTime()).toBeLessThanOrEqual(lastAt(3_500).getTime())
})

test('wallets take turns in the table, as they would under load', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  const topic = await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 4 })
  const users = await seedUsers({ pool, partitions: 4, eventSource: topic.event_source }, WALLETS, FIRST_AT)
  const client = await pool.connect()
  await growLedger(client, { users, size: 2_000, signal: new AbortController().signal, onChunk: () => {} })
  client.release()
  const { rows } = await pool.query(`
    select count(*) filter (where wallet_id = before)::int as together
      from (select wallet_id, lag(wallet_id) over (order by id) as before from transactions)`)
  expect(rows[0].together).toBeLessThan(200) // one row in ten is of the longest history, so some follow each other by chance
})

test('a sample of histories is held to the same as all of them', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  const topic = await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 4 })
  await seedUsers({ pool, partitions: 4, eventSource: topic.event_source }, 3)
  await pool.query('update wallets set balance = balance + 1 where id = 2')
  expect(await verifyWallets(pool, [1, 3])).toMatchObject({ wrong_balances: 0 })
  expect(await verifyWallets(pool, [1, 2])).toMatchObject({ wrong_balances: 1 })
})

test('what a ledger takes on the disk is told by table and by index', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  const topic = await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 4 })
  await seedUsers({ pool, partitions: 4, eventSource: topic.event_source }, 2_000)
  const { figures, notes } = await measureSizes(pool, 2_000)
  expect(figures.find(({ name }) => name === 'table')?.median).toBeGreaterThan(0.1)
  const indexes = [
    'transactions_pk',
    'transactions_trans_id_unique',
    'transactions_sequence_unique',
    'transactions_by_entry',
  ]
  for (const index of indexes) expect(notes.join()).toContain(`${index} `)
  expect(notes.at(-1)).toContain('shared_buffers')
})

test.for([
  [1_000_000, 100_000],
  [500_000, 100_000],
  [7, 40],
  [3_460, 40],
  [10, 1],
  [5, 2],
] as const)('%i rows are shared out to the last among %i wallets', ([rows, wallets]) => {
  const shares = shareOut(rows, wallets)
  expect(shares).toHaveLength(wallets)
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(rows)
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(0)
})

test('a few histories are long, one of ten is busy, and nobody is left out', () => {
  const shares = shareOut(1_000_000, 100_000)
  const { long, busy } = describeWallets(100_000)
  expect(shares.slice(0, long)).toEqual([100_000, 50_000, 20_000])
  expect(new Set(shares.slice(long, long + busy))).toEqual(new Set([40]))
  expect(new Set(shares.slice(long + busy))).toEqual(new Set([4, 5]))
})

test('what will not fit on the disk is refused in a sentence', () => {
  const sizes = [1_000_000, 10_000_000, 50_000_000]
  const growing = { sizes, present: [], keep: false }
  expect(refuseForDisk(growing, 30 * GIGABYTE)).toBeUndefined()
  expect(refuseForDisk({ ...growing, keep: true }, 26 * GIGABYTE)).toMatch(
    /need 28 GB of disk, but only 26 GB are free/,
  )
  expect(refuseForDisk(growing, 10 * GIGABYTE)).toContain('use smaller --sizes')
  // What is there already is not written again.
  expect(refuseForDisk({ ...growing, keep: true, present: [50_000_000] }, 10 * GIGABYTE)).toBeUndefined()
  expect(refuseForDisk({ ...growing, present: sizes }, 0)).toBeUndefined()
})
