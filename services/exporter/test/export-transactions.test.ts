import { createHash, randomUUID } from 'node:crypto'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '@streamledger/db'
import { exportJobKey } from '@streamledger/events'
import { expect, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { addHistory, instantOf, makeChosenHistory, makeHistory } from './make-history.ts'
import { holdInMiddle, hurryJob, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { readWorkbook, type SheetRow } from './read-workbook.ts'
import { listFiles, makeExportDir, runExporter, SLOW } from './run-exporter.ts'

/** More than a slow exporter writes during a test, so that a missing stop is noticed. */
const LONG_ROWS = 40_000

/** The rows that a workbook of this wallet must show, from the ledger itself. */
async function ledgerRows(db: Db, walletId: number): Promise<SheetRow[]> {
  const rows = await db
    .selectFrom('transactions')
    .selectAll()
    .where('wallet_id', '=', walletId)
    .orderBy('sequence')
    .execute()
  return rows.map(({ created_at, id, entry, amount, balance, trans_id }) => ({
    ...{
      date: created_at,
      id: String(id),
      entry,
      amount: amount / 100,
      balance: balance / 100,
      currency: 'NGN',
      trans_id,
    },
    ...{ amountKobo: String(amount), balanceKobo: String(balance) },
  }))
}

test('a workbook holds every transaction of the wallet once, in order, to the kobo and the millisecond', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 2_500)
  await makeHistory(db, 10) // of another user
  const id = await orderExport(db, history)
  const rows = await ledgerRows(db, history.walletId)
  await addHistory(db, history, 50) // after the order
  await runExporter(url, dir)

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')

  expect(row).toMatchObject({ rows_done: 2_500, rows_total: 2_500, error: null })
  const path = join(dir, row.file as string)
  const bytes = await readFile(path)
  expect(row.size).toBe(bytes.length)
  expect(row.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  expect(row.expires_at?.getTime()).toBe((row.finished_at as Date).getTime() + 168 * 3_600_000)
  const sheets = await readWorkbook(path)
  expect(sheets.map(({ name }) => name)).toEqual(['Transactions'])
  expect(sheets[0]?.header).toEqual([
    ...['Date (UTC)', 'Transaction ID', 'Entry', 'Amount (NGN)', 'Balance (NGN)', 'Currency', 'trans_id'],
    ...['Amount (kobo)', 'Balance (kobo)'],
  ])
  expect(sheets[0]?.rows).toEqual(rows)
  expect(await listFiles(dir, id)).toEqual([row.file])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await waitFor(async () => (await readJob(db, id)) === undefined)
})

test('an export does not wait for what its exporter has used of the processor before', async ({
  database: { db, url },
}) => {
  const history = await makeHistory(db, 3)
  await runExporter(url, await makeExportDir(), { EXPORT_CPU_PERCENT: '5' })
  const until = performance.now() + 1_000
  while (performance.now() < until); // as hours of heartbeats and scrapes do: 5 % of it takes 20 s
  const orderedAt = performance.now()

  await waitForExport(db, await orderExport(db, history), ({ status }) => status === 'succeeded')

  expect(performance.now() - orderedAt).toBeLessThan(12_000)
})

test('rows that are posted after the order, or during the export, are not in it', async ({ database: { db, url } }) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 1_000)
  const id = await orderExport(db, history)
  await addHistory(db, history, 100)
  await runExporter(url, dir, SLOW)
  const held = await holdInMiddle(db, id)

  await addHistory(held.trx, { ...history, rows: 1_100 }, 500)
  await held.release()

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  const [sheet] = await readWorkbook(join(dir, row.file as string))
  expect(row.rows_total).toBe(1_000)
  expect(sheet?.rows.map(({ trans_id }) => trans_id)).toEqual(Array.from({ length: 1_000 }, (_, n) => `order-${n + 1}`))
})

test('the filters choose by entry, from an instant on, and up to but not including another', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 90)
  const all = await ledgerRows(db, history.walletId)
  const nothing = await makeHistory(db, 0)
  await runExporter(url, dir)
  const orders = [
    { order: { entry: 'debit' as const }, expected: all.filter(({ entry }) => entry === 'debit') },
    { order: { from_at: instantOf(10), to_at: instantOf(20) }, expected: all.slice(9, 19) },
    { order: { from_at: new Date(instantOf(10).getTime() + 1) }, expected: all.slice(10) },
    { order: { to_at: instantOf(1) }, expected: [] },
    { order: { from_at: instantOf(50), to_at: instantOf(20) }, expected: [] },
    {
      order: { entry: 'credit' as const, from_at: instantOf(30) },
      expected: all.slice(29).filter(({ entry }) => entry === 'credit'),
    },
    { order: {}, history: nothing, expected: [] },
  ]

  for (const { order, expected, history: of = history } of orders) {
    const id = await orderExport(db, of, order)
    const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
    const [sheet] = await readWorkbook(join(dir, row.file as string))
    expect({ order, rows: sheet?.rows }).toEqual({ order, rows: expected })
    expect(row).toMatchObject({ rows_done: expected.length, rows_total: expected.length })
  }
})

test('text that a spreadsheet would run is shown as text, and figures beyond its precision stay exact', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const largest = Number.MAX_SAFE_INTEGER
  const history = await makeChosenHistory(db, [
    ...['=1+1', "'=1+1", '+1', '-1', '@sum', '\tx', '\rx', '\nx', '＝1', ' ', '   '].map((trans_id) => ({ trans_id })),
    { trans_id: 'plain', amount: largest - 1_100 },
    { trans_id: '<&>"\u007f\ufffe_x0041_ 💸', entry: 'debit', amount: largest - 1 },
  ])
  await runExporter(url, dir)

  const row = await waitForExport(db, await orderExport(db, history), ({ status }) => status === 'succeeded')

  const [sheet] = await readWorkbook(join(dir, row.file as string))
  expect(sheet?.rows.map(({ trans_id }) => trans_id)).toEqual([
    ...["'=1+1", "''=1+1", "'+1", "'-1", "'@sum", "'_x0009_x", "'_x000D_x", "'_x000A_x", "'＝1", ' ', '   ', 'plain'],
    '<&>"_x007F__xFFFE__x005F_x0041_ 💸',
  ])
  expect(sheet?.rows.slice(-2)).toMatchObject([
    {
      ...{ amount: 90_071_992_547_398.91, balance: 90_071_992_547_409.91 },
      ...{ amountKobo: '9007199254739891', balanceKobo: '9007199254740991' },
    },
    { amount: 90_071_992_547_409.9, balance: 0.01, amountKobo: '9007199254740990', balanceKobo: '1' },
  ])
})

test('rows that do not add up to the balances are never shown to anybody', async ({ database: { db, url } }) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 5)
  await addRows(db, history.walletId, { sequence: 6, amount: 100, balance: 99 })
  await runExporter(url, dir)

  const id = await orderExport(db, { ...history, rows: 6 }, { maxAttempts: 1 })

  const row = await waitForExport(db, id, ({ status }) => status === 'failed')
  expect(row).toMatchObject({ error: 'balances_differ', file: null })
  expect(await listFiles(dir, id)).toEqual([])
})

test('an export that lacks a row of those that were counted is never shown to anybody', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 5)
  const { balance } = await db
    .selectFrom('wallets')
    .select('balance')
    .where('id', '=', history.walletId)
    .executeTakeFirstOrThrow()
  await addRows(db, history.walletId, { sequence: 7, amount: 100, balance: balance + 100 })
  await runExporter(url, dir)

  const id = await orderExport(db, { ...history, rows: 7 }, { maxAttempts: 1 })

  const row = await waitForExport(db, id, ({ status }) => status === 'failed')
  expect(row).toMatchObject({ error: 'rows_changed', file: null })
  expect(await listFiles(dir, id)).toEqual([])
})

/** What a ledger would never hold. */
async function addRows(db: Db, wallet_id: number, row: { sequence: number; amount: number; balance: number }) {
  const created_at = instantOf(row.sequence)
  await db
    .insertInto('transactions')
    .values({ wallet_id, ...row, created_at, entry: 'credit', trans_id: 'odd' })
    .execute()
}

test('an attempt that was replaced neither publishes nor completes the job nor leaves a file', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const id = await orderExport(db, await makeHistory(db, LONG_ROWS))
  const exporter = await runExporter(url, dir, SLOW)
  const held = await holdInMiddle(db, id)
  expect(await listFiles(dir, id)).toEqual([`${id}.${held.row.attempt}.xlsx.part`])
  const other = { attempt: randomUUID(), locked_by: 'pool-of-another' }
  await db.updateTable('exports').set({ attempt: other.attempt }).where('id', '=', id).execute()
  await sql`update graphile_worker._private_jobs set locked_by = ${other.locked_by} where key = ${exportJobKey(id)}`.execute(
    db,
  )
  await held.release()

  await waitFor(async () => (await listFiles(dir, id)).length === 0)
  await exporter.stop()

  expect(await readExport(db, id)).toMatchObject({ status: 'running', attempt: other.attempt, file: null })
  expect(await readJob(db, id)).toMatchObject({ locked_by: other.locked_by, attempts: 1 })
  expect(await listFiles(dir, id)).toEqual([])
})

test('an attempt that is replaced at its very end removes the file that it has finished', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 10)
  const id = await orderExport(db, history)
  const other = randomUUID()
  // The take-over happens at the latest possible moment: between the rename and the UPDATE that publishes.
  await sql`
    create function take_over() returns trigger language plpgsql as $$
    begin
      if new.status = 'succeeded' and old.status = 'running' then
        update exports set attempt = ${sql.lit(other)} where id = new.id;
        return null;
      end if;
      return new;
    end $$`.execute(db)
  await sql`create trigger take_over before update on exports for each row execute function take_over()`.execute(db)
  try {
    const exporter = await runExporter(url, dir)
    await waitForExport(db, id, ({ attempt }) => attempt === other)
    await exporter.stop()
  } finally {
    await sql`drop trigger take_over on exports; drop function take_over`.execute(db)
  }

  expect(await readExport(db, id)).toMatchObject({ status: 'running', attempt: other, file: null })
  expect(await listFiles(dir, id)).toEqual([])
})

test('a file that is written when the drain ends is published all the same', async ({ createDatabase }) => {
  const { db, url } = await createDatabase()
  const dir = await makeExportDir()
  const finishing = await orderExport(db, await makeHistory(db, 10))
  await refuseToFinish(db)
  const exporter = await runExporter(url, dir, { ...SLOW, DRAIN_TIMEOUT_MS: '1000' })
  const { attempt } = await waitForExport(db, finishing, ({ status }) => status === 'running')
  await waitFor(async () => (await listFiles(dir, finishing)).includes(`${finishing}.${attempt}.xlsx`))
  const writing = await orderExport(db, await makeHistory(db, LONG_ROWS))
  const held = await holdInMiddle(db, writing)

  const stopped = exporter.stop()
  // Unwritten rows are given up, which shows that the time to finish is over.
  await waitForExport(db, writing, ({ status }) => status === 'queued')
  await held.release()
  await sql`drop trigger refuse_to_finish on exports`.execute(db)
  await stopped

  expect(await readExport(db, finishing)).toMatchObject({ status: 'succeeded', attempt })
  expect(await listFiles(dir)).toEqual([`${finishing}.${attempt}.xlsx`])
})

/** Fails like a database that is too busy; the statement may be retried. */
async function refuseToFinish(db: Db): Promise<void> {
  await sql`
    create function refuse_to_finish() returns trigger language plpgsql as $$
    begin raise exception 'not now' using errcode = 'lock_not_available'; end $$`.execute(db)
  await sql`
    create trigger refuse_to_finish before update on exports for each row
    when (new.status = 'succeeded') execute function refuse_to_finish()`.execute(db)
}

test('progress is stored again and again, and never more often than it is to be', async ({ createDatabase }) => {
  const { db, url } = await createDatabase()
  const intervalMs = 100
  // Postgres's clock notes each report; the next may begin an interval after this one has ended.
  await sql`create table reports (rows_done bigint, at timestamptz default clock_timestamp())`.execute(db)
  await sql`
    create function note_report() returns trigger language plpgsql as $$
    begin
      insert into reports (rows_done) values (new.rows_done);
      return new;
    end $$`.execute(db)
  await sql`
    create trigger note_report before update on exports for each row
    when (new.status = 'running' and new.rows_done > old.rows_done) execute function note_report()`.execute(db)
  const id = await orderExport(db, await makeHistory(db, LONG_ROWS))
  const exporter = await runExporter(url, await makeExportDir(), {
    ...SLOW,
    EXPORT_PROGRESS_INTERVAL_MS: String(intervalMs),
  })

  const reports = await waitFor(async () => {
    const { rows } = await sql<{ rows_done: number; at: Date }>`select * from reports order by at`.execute(db)
    if (rows.length < 5) throw new Error(`${rows.length} reports`)
    return rows
  })
  await db.updateTable('exports').set({ status: 'cancelled' }).where('id', '=', id).execute()

  reports.slice(1).forEach(({ rows_done, at }, index) => {
    const before = reports[index] as (typeof reports)[number]
    expect(rows_done).toBeGreaterThan(before.rows_done)
    // JavaScript's instants are cut to the millisecond.
    expect(at.getTime() - before.at.getTime()).toBeGreaterThanOrEqual(intervalMs - 1)
  })
  await exporter.stop() // before its database is dropped
})

test('an export that is cancelled in its middle stops, and leaves neither file nor job', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const id = await orderExport(db, await makeHistory(db, LONG_ROWS))
  await runExporter(url, dir, SLOW)
  const held = await holdInMiddle(db, id)
  expect(held.row.rows_total).toBe(LONG_ROWS)

  await db.updateTable('exports').set({ status: 'cancelled' }).where('id', '=', id).execute()
  await held.release()

  await waitFor(async () => (await readJob(db, id)) === undefined)
  expect(await listFiles(dir, id)).toEqual([])
  expect(await readExport(db, id)).toMatchObject({ status: 'cancelled', file: null })
})

test('an export that was cancelled in the queue is never written', async ({ database: { db, url } }) => {
  const dir = await makeExportDir()
  const id = await orderExport(db, await makeHistory(db, 3))
  await db.updateTable('exports').set({ status: 'cancelled' }).where('id', '=', id).execute()

  await runExporter(url, dir)

  await waitFor(async () => (await readJob(db, id)) === undefined)
  expect(await readExport(db, id)).toMatchObject({ status: 'cancelled', attempt: null, started_at: null })
})

test('an attempt that fails goes back into the queue, and the last one fails the export with a code', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 3)
  await runExporter(url, dir)
  await rm(dir, { recursive: true })
  const id = await orderExport(db, history, { maxAttempts: 2 })

  const queued = await waitFor(async () => {
    const job = await readJob(db, id)
    return job?.attempts === 1 && job.locked_by === null && readExport(db, id)
  })
  expect(queued).toMatchObject({ status: 'queued', attempt: null, error: null })
  await hurryJob(db, id)

  const failed = await waitForExport(db, id, ({ status }) => status === 'failed')
  expect(failed).toMatchObject({ error: 'storage_unavailable', file: null })
  expect(failed.finished_at).toBeInstanceOf(Date)
  await waitFor(async () => (await readJob(db, id))?.locked_by === null)
  expect(await readJob(db, id)).toMatchObject({ attempts: 2, last_error: expect.stringContaining('ENOENT') })
})

test('an export whose connections are cut in its middle goes on where it was', async ({ createDatabase }) => {
  const { db, url } = await createDatabase()
  const dir = await makeExportDir()
  const history = await makeHistory(db, 1_000)
  const id = await orderExport(db, history)
  const exporter = await runExporter(url, dir, SLOW)
  const held = await holdInMiddle(db, id)

  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'streamledger exporter'`.execute(db)
  await held.release()

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  expect(row.attempt).toBe(held.row.attempt)
  const [sheet] = await readWorkbook(join(dir, row.file as string))
  expect(sheet?.rows).toEqual(await ledgerRows(db, history.walletId))
  await exporter.stop() // before its database is dropped
})
