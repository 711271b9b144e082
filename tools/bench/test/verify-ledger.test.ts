import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimInstallation } from '@streamledger/db'
import { transactionPosted } from '@streamledger/events'
import { expect, type TestDatabase, test } from '@streamledger/testkit'
import { createEventLog } from '../src/events/event-log.ts'
import { loadEvents } from '../src/events/load-events.ts'
import { countDisorder } from '../src/events/measure-events.ts'
import { seedHistory } from '../src/ledger/seed-history.ts'
import { seedUsers } from '../src/ledger/seed-users.ts'
import { describeFaults, type LedgerFaults, verifyLedger } from '../src/ledger/verify-ledger.ts'

const NONE: LedgerFaults = {
  ...{ wrong_balances: 0, sequence_gaps: 0, chain_breaks: 0 },
  ...{ unannounced: 0, announced_twice: 0, foreign: 0 },
}
const WITHOUT_TRIGGERS = 'alter table transactions disable trigger transactions_append_only'

/** Three wallets with two transactions each, every one with its outbox row. */
async function makeLedger({ pool }: TestDatabase): Promise<void> {
  const topic = await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 4 })
  const installation = { pool, partitions: topic.partitions, eventSource: topic.event_source }
  await seedUsers(installation, 3)
  const { rows } = await pool.query(
    `with posted as (
       insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
       select id, 2, 250, balance - 250, now(), 'debit', 'second' from wallets
       returning *
     ), moved as (
       update wallets set balance = posted.balance, sequence = 2 from posted where wallets.id = posted.wallet_id
       returning user_id, wallets.id as wallet_id
     )
     select posted.*, user_id, 'NGN' as currency from posted join moved using (wallet_id)`,
  )
  for (const row of rows) {
    const context = { partitions: topic.partitions, source: topic.event_source }
    const { partition, key, payload, headers } = transactionPosted(row, context)
    await pool.query('insert into outbox (partition, key, payload, headers) values ($1, $2, $3, $4)', [
      ...[partition, key, payload, headers],
    ])
  }
}

test('a ledger that holds has no faults', async ({ createDatabase }) => {
  const database = await createDatabase()
  await makeLedger(database)
  expect(await verifyLedger(database.pool)).toEqual({ transactions: 6, refusals: 0, faults: NONE })
  expect(describeFaults(NONE)).toEqual([])
})

test.for<{ what: string; plant: string; faults: Partial<LedgerFaults> }>([
  {
    what: 'a balance that nobody posted',
    plant: 'update wallets set balance = balance + 1 where id = 1',
    faults: { wrong_balances: 1 },
  },
  {
    what: 'a wallet whose sequence ran ahead of its history',
    plant: 'update wallets set sequence = 3 where id = 2',
    faults: { sequence_gaps: 1 },
  },
  {
    what: 'a transaction that was taken out',
    plant: `${WITHOUT_TRIGGERS}; delete from transactions where wallet_id = 1 and sequence = 1`,
    faults: { wrong_balances: 1, sequence_gaps: 1, chain_breaks: 1, foreign: 1 },
  },
  {
    what: 'a balance that does not follow from the one before',
    plant: `${WITHOUT_TRIGGERS}; update transactions set balance = balance - 1 where wallet_id = 3 and sequence = 2`,
    faults: { chain_breaks: 1, foreign: 1 },
  },
  {
    what: 'an event that was lost',
    plant: `delete from outbox where key = '1' and payload like '%"sequence":2%'`,
    faults: { unannounced: 1 },
  },
  {
    what: 'an event that is there twice',
    plant: `insert into outbox (partition, key, payload, headers)
            select partition, key, payload, headers from outbox where key = '2' and payload like '%"sequence":1}'`,
    faults: { announced_twice: 1 },
  },
  {
    what: 'an event of nothing',
    plant: `insert into outbox (partition, key, payload, headers) values (0, '1', '{"transaction_id":999}', '{}')`,
    faults: { foreign: 1 },
  },
  {
    what: 'an event that tells another amount',
    plant: `update outbox set payload = replace(payload, '"amount":250', '"amount":251') where key = '3'`,
    faults: { foreign: 1 },
  },
])('verification finds $what', async ({ plant, faults }, { createDatabase }) => {
  const database = await createDatabase()
  await makeLedger(database)
  await database.pool.query(plant)
  const verdict = await verifyLedger(database.pool)
  expect(verdict.faults).toEqual({ ...NONE, ...faults })
  expect(describeFaults(verdict.faults)).toHaveLength(Object.keys(faults).length)
})

test('an event that a consumer has seen stands for its outbox row, and one that was published twice is found', async ({
  createDatabase,
}) => {
  const database = await createDatabase()
  const { pool } = database
  await makeLedger(database)
  await verifyLedger(pool) // makes the table
  await pool.query(`
    insert into bench.events
    select id, wallet_id % 4, row_number() over (order by id), 0 from transactions`)
  expect((await verifyLedger(pool)).faults).toEqual({ ...NONE, announced_twice: 6 })
  await pool.query('delete from outbox')
  expect((await verifyLedger(pool)).faults).toEqual(NONE)
  expect(await countDisorder(pool)).toBe(0)

  await pool.query('update bench.events set "offset" = 100 - "offset"')
  expect(await countDisorder(pool)).toBe(3)
  await pool.query('delete from bench.events where transaction_id = (select min(id) from transactions)')
  expect((await verifyLedger(pool)).faults).toEqual({ ...NONE, unannounced: 1 })
})

test('what a consumer has noted arrives beside the ledger as it was', async ({ createDatabase, onTestFinished }) => {
  const { pool } = await createDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'bench-events-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const log = createEventLog()
  for (let id = 1; id <= 25_000; id += 1)
    log.add({ transactionId: id, partition: 3, offset: id + 7, seenAtMs: id + 0.5 })
  writeFileSync(join(folder, 'events'), log.bytes())
  await loadEvents(pool, join(folder, 'events'))
  const { rows } = await pool.query('select count(*)::int as count, min("offset") as first, max(seen_at_ms) as last from bench.events') // biome-ignore format: one line
  expect(rows).toEqual([{ count: 25_000, first: 8, last: 25_000.5 }])
})

test('a history that is written without requests is one that posting could have written', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const topic = await claimInstallation(pool, { installationId: randomUUID(), topic: 'transactions', partitions: 4 })
  const users = await seedUsers({ pool, partitions: 4, eventSource: topic.event_source }, 3)
  await seedHistory(pool, { users: users.slice(0, 2), rows: [1_000, 10] })
  const { transactions, faults } = await verifyLedger(pool)
  expect(transactions).toBe(3 + 1_010)
  expect(faults).toEqual({ ...NONE, unannounced: 1_010 }) // none has an event
  const { rows } = await pool.query('select sequence from wallets order by user_id')
  expect(rows.map(({ sequence }) => sequence)).toEqual([1_001, 11, 1])
})
