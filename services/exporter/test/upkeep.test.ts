import { randomUUID } from 'node:crypto'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '@streamledger/db'
import { exportJobKey } from '@streamledger/events'
import { expect, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { moveUp } from '../src/export-upkeep.ts'
import { makeHistory } from './make-history.ts'
import { orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { listFiles, makeExportDir, runExporter } from './run-exporter.ts'

/** Runs the task now instead of at the next minute. */
async function runTask(db: Db, task: string): Promise<void> {
  const { rows } = await sql<{
    id: number
  }>`select id from graphile_worker.add_job(${task}, job_key := ${task})`.execute(db)
  await waitFor(async () => {
    const { rows: jobs } = await sql`select from graphile_worker.jobs where id = ${rows[0]?.id}`.execute(db)
    return jobs.length === 0
  })
}

const HOUR_MS = 3_600_000

async function makeFile(dir: string, name: string, ageMs = 0): Promise<string> {
  await writeFile(join(dir, name), 'content')
  const at = new Date(Date.now() - ageMs)
  await utimes(join(dir, name), at, at)
  return name
}

test('an export that has lost its job gets another', async ({ database: { db, url } }) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 5)
  const ids = [await orderExport(db, history), await orderExport(db, history)]
  const [queued = '', running = ''] = ids
  for (const id of ids) await sql`select graphile_worker.remove_job(${exportJobKey(id)})`.execute(db)
  await db.updateTable('exports').set({ status: 'running', attempt: randomUUID() }).where('id', '=', running).execute()
  await runExporter(url, dir)

  await runTask(db, 'tend_exports')

  for (const id of [queued, running]) {
    expect(await waitForExport(db, id, ({ status }) => status === 'succeeded')).toMatchObject({ rows_done: 5 })
  }
})

test('an export whose every attempt ended in a killed exporter fails, one that goes on or was handed back does not', async ({
  database: { db, url },
}) => {
  const history = await makeHistory(db, 5)
  const ids = [await orderExport(db, history), await orderExport(db, history), await orderExport(db, history)]
  const [lost = '', handedBack = '', lastTry = ''] = ids
  await db.updateTable('exports').set({ status: 'running', attempt: randomUUID() }).where('id', 'in', ids).execute()
  await useUp(db, lost, { runAt: '-1 s' })
  await useUp(db, handedBack, { runAt: '1 h' })
  await useUp(db, lastTry, { runAt: '-1 s', isRunning: true })
  await runExporter(url, await makeExportDir())

  await runTask(db, 'tend_exports')

  const row = await readExport(db, lost)
  expect(row).toMatchObject({ status: 'failed', error: 'exporter_lost' })
  expect(row.finished_at).toBeInstanceOf(Date)
  for (const id of [handedBack, lastTry]) {
    expect(await readExport(db, id)).toMatchObject({ status: 'running', error: null })
  }
})

/** Uses up all attempts of the job; with `isRunning` its last one is running. */
async function useUp(db: Db, exportId: string, { runAt, isRunning = false }: { runAt: string; isRunning?: boolean }) {
  const holder = isRunning ? { locked_at: sql`now()`, locked_by: 'pool-other' } : { locked_at: null, locked_by: null }
  await sql`
    update graphile_worker._private_jobs
    set attempts = max_attempts, run_at = now() + ${runAt}::interval,
        locked_at = ${holder.locked_at}, locked_by = ${holder.locked_by}
    where key = ${exportJobKey(exportId)}`.execute(db)
}

test("one user's five exports do not make another's one wait for all of them", async ({ database: { db, url } }) => {
  const [busy, other] = [await makeHistory(db, 20), await makeHistory(db, 20)]
  const five: string[] = []
  for (let priority = 0; priority < 5; priority += 1)
    five.push(await orderExport(db, busy, { priority: 10 * priority })) // a minute may move them up meanwhile
  const one = await orderExport(db, other, { priority: 0 })

  await runExporter(url, await makeExportDir(), { EXPORTER_CONCURRENCY: '1' })

  const rows = []
  for (const id of [...five, one]) rows.push(await waitForExport(db, id, ({ status }) => status === 'succeeded'))
  const order = rows.sort((a, b) => (a.started_at as Date).getTime() - (b.started_at as Date).getTime())
  expect(order.map(({ id }) => id)).toEqual([five[0], one, ...five.slice(1)])
})

test('an export that waits moves up, so that none waits for ever', async ({ createDatabase }) => {
  const { db, url } = await createDatabase()
  const history = await makeHistory(db, 1)
  const ids: string[] = []
  for (const priority of [0, 1, 2, 4]) ids.push(await orderExport(db, history, { priority }))
  const [, , locked = ''] = ids
  await sql`update graphile_worker._private_jobs set locked_at = now() where key = ${exportJobKey(locked)}`.execute(db)

  const readPriorities = async () => {
    const { rows } = await sql<{ priority: number }>`
      select priority from graphile_worker.jobs where key = any(${ids.map(exportJobKey)}) order by id`.execute(db)
    return rows.map(({ priority }) => priority)
  }

  await moveUp(db)

  expect(await readPriorities()).toEqual([0, 0, 2, 3])
  // None of these jobs is due, so the exporter does not take them; the task does the rest.
  await sql`select graphile_worker.reschedule_jobs(array_agg(id), run_at := now() + '1 h') from graphile_worker.jobs`.execute(
    db,
  )
  await runExporter(url, await makeExportDir())
  await runTask(db, 'tend_exports')
  expect(await readPriorities()).toEqual([0, 0, 2, 2])
})

test('a file whose time is over is removed, and what is known of its export stays', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 5)
  await runExporter(url, dir)
  const [late = '', early = ''] = [await orderExport(db, history), await orderExport(db, history)]
  const published = await waitForExport(db, late, ({ status }) => status === 'succeeded')
  const { file } = await waitForExport(db, early, ({ status }) => status === 'succeeded')
  await db
    .updateTable('exports')
    .set({ expires_at: new Date(Date.now() - 1) })
    .where('id', '=', late)
    .execute()

  await runTask(db, 'expire_exports')

  expect(await readExport(db, late)).toEqual({
    ...published,
    status: 'expired',
    file: null,
    expires_at: expect.any(Date),
  })
  expect(await readExport(db, early)).toMatchObject({ status: 'succeeded', file })
  expect(await listFiles(dir)).toEqual([file])
})

test('a job that has failed for good is forgotten once a file of it would have expired', async ({
  database: { db, url },
}) => {
  const history = await makeHistory(db, 1)
  const ids = [await orderExport(db, history), await orderExport(db, history)]
  const [old = '', recent = ''] = ids
  await db.updateTable('exports').set({ status: 'failed', error: 'internal_error' }).where('id', 'in', ids).execute()
  await useUp(db, old, { runAt: '-169 h' })
  await useUp(db, recent, { runAt: '-167 h' })
  await runExporter(url, await makeExportDir())

  await runTask(db, 'expire_exports')

  expect(await readJob(db, old)).toBeUndefined()
  expect(await readJob(db, recent)).toBeDefined()
})

test('what dead attempts left is swept away, and nothing that anybody may still point to', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  const history = await makeHistory(db, 1)
  const [done = '', running = ''] = [await orderExport(db, history), await orderExport(db, history)]
  const attempts = { published: randomUUID(), current: randomUUID(), dead: randomUUID() }
  const file = `${done}.${attempts.published}.xlsx`
  const finished = { size: 7, sha256: 'ab', finished_at: new Date(), expires_at: new Date(Date.now() + HOUR_MS) }
  await db
    .updateTable('exports')
    .set({ ...finished, status: 'succeeded', attempt: attempts.published, file })
    .where('id', '=', done)
    .execute()
  const { current } = attempts
  await db.updateTable('exports').set({ status: 'running', attempt: current }).where('id', '=', running).execute()
  await sql`update graphile_worker._private_jobs set locked_by = 'pool-other', locked_at = now()`.execute(db)
  const kept = [
    await makeFile(dir, file, 1_000 * HOUR_MS),
    await makeFile(dir, `${running}.${current}.xlsx.part`, 1_000 * HOUR_MS),
    await makeFile(dir, `${running}.${current}.xlsx`),
    // It may belong to another installation, so it must not be removed before it would expire.
    await makeFile(dir, `${randomUUID()}.${attempts.dead}.xlsx`, 167 * HOUR_MS),
    await makeFile(dir, `${randomUUID()}.${attempts.dead}.xlsx.part`),
    await makeFile(dir, 'notes.txt', 1_000 * HOUR_MS),
  ]
  for (const [name, ageMs] of [
    [`${done}.${attempts.dead}.xlsx`, 0],
    [`${done}.${attempts.published}.xlsx.part`, 0],
    [`${running}.${attempts.dead}.xlsx.part`, 0],
    [`${randomUUID()}.${attempts.dead}.xlsx`, 169 * HOUR_MS],
    [`${randomUUID()}.${attempts.dead}.xlsx.part`, 2 * HOUR_MS],
  ] as const) {
    await makeFile(dir, name, ageMs)
  }
  await runExporter(url, dir)

  await runTask(db, 'sweep_files')

  expect(await listFiles(dir)).toEqual(kept.sort())
})

test('what happened to accounts is forgotten once its time is over, and not before', async ({
  database: { db, url },
}) => {
  const ages = ['401 days', '399 days', '1 day', '2000 days']
  for (const age of ages) {
    await sql`
      insert into security_events (created_at, request_id, kind, address)
      values (now() - ${age}::interval, gen_random_uuid(), 'log_in_failed', ${age})`.execute(db)
  }
  // More than one statement takes.
  await sql`
    insert into security_events (created_at, request_id, kind, address)
    select now() - interval '500 days', gen_random_uuid(), 'log_in_failed', 'a' from generate_series(1, 1500)`.execute(
    db,
  )
  await runExporter(url, await makeExportDir())

  await runTask(db, 'forget_security_events')

  const kept = await db.selectFrom('security_events').select('address').orderBy('id').execute()
  expect(kept.map(({ address }) => address)).toEqual(['399 days', '1 day'])
})

test('the upkeep is on the clock of graphile-worker, each task of it queued once a time', async ({
  createDatabase,
}) => {
  const { db, url } = await createDatabase()
  await runExporter(url, await makeExportDir())

  const crontabs = await waitFor(async () => {
    const { rows } = await sql<{ identifier: string }>`
      select identifier from graphile_worker._private_known_crontabs order by identifier`.execute(db)
    return rows.length > 0 && rows.map(({ identifier }) => identifier)
  })

  expect(crontabs).toEqual(['expire_exports', 'forget_security_events', 'sweep_files', 'tend_exports'])
})
