import { randomUUID } from 'node:crypto'
import { EXPORT_TASK, exportJobKey } from '@streamledger/events'
import { expect, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { enterPool, releaseDeadPools, renewPool } from '../src/exporter-pools.ts'
import { makeHistory } from './make-history.ts'
import { holdInMiddle, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { listFiles, makeExportDir, SLOW } from './run-exporter.ts'
import { readTransIds, spawnExporter, transIds } from './spawn-exporter.ts'

const OURS = { deadAfterMs: 15_000, taskNames: [EXPORT_TASK] }

test('an exporter that is paused past its heartbeat is replaced, and when it wakes it changes nothing and leaves', async ({
  database: { db, url },
  spawnService,
}) => {
  const rows = 1_000
  const dir = await makeExportDir()
  const env = { DATABASE_URL: url, EXPORT_DIR: dir }
  const id = await orderExport(db, await makeHistory(db, rows))
  const paused = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)
  await spawnExporter(spawnService, env)
  paused.process.signal('SIGSTOP')
  await held.release()

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  const second = await orderExport(db, await makeHistory(db, rows))
  const other = await waitForExport(db, second, ({ status }) => status === 'succeeded')
  paused.process.signal('SIGCONT')

  expect(await paused.process.exited).toEqual({ code: 1, signal: null })
  expect(paused.process.logs).toContain('others declared it dead')
  expect(row.attempt).not.toBe(held.row.attempt)
  expect([await readExport(db, id), await readExport(db, second)]).toEqual([row, other])
  expect(await readTransIds(dir, row.file)).toEqual(transIds(rows))
  expect([await listFiles(dir, id), await listFiles(dir, second)]).toEqual([[row.file], [other.file]])
})

test('a lone exporter that comes back finishes what it was killed in', async ({
  database: { db, url },
  spawnService,
}) => {
  const dir = await makeExportDir()
  const env = { DATABASE_URL: url, EXPORT_DIR: dir }
  const id = await orderExport(db, await makeHistory(db, 1_000))
  const killed = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)
  killed.process.signal('SIGKILL')
  await killed.process.exited
  await held.release()

  const restarted = await spawnExporter(spawnService, env)

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  expect(await readTransIds(dir, row.file)).toEqual(transIds(1_000))
  expect(await listFiles(dir, id)).toEqual([row.file])
  const metrics = await (await fetch(`${restarted.process.opsUrl}/metrics`)).text()
  expect(metrics).toMatch(/streamledger_exporters_lost_total\{service="exporter"\} [1-9]/)
})

test('a job whose taking was answered to nobody is taken again, and one that a worker is at is not', async ({
  createDatabase,
  spawnService,
}) => {
  const { db, url } = await createDatabase()
  const [long, short] = [await makeHistory(db, 1_000), await makeHistory(db, 3)]
  const env = { DATABASE_URL: url, EXPORT_DIR: await makeExportDir(), EXPORTER_CONCURRENCY: '1' }
  const exporter = await spawnExporter(spawnService, { ...env, ...SLOW })
  const id = await orderExport(db, long)
  const held = await holdInMiddle(db, id)
  // Like after a connection that broke between the commit and its answer.
  const lost = await orderExport(db, short, { maxAttempts: 1 })
  await sql`
    update graphile_worker._private_jobs set locked_by = ${exporter.poolId}, locked_at = now(), attempts = 1
    where key = ${exportJobKey(lost)}`.execute(db)

  await waitFor(async () => (await readJob(db, lost))?.locked_by === null)

  expect(await readJob(db, id)).toMatchObject({ locked_by: exporter.poolId, attempts: 1 })
  await held.release()
  await waitForExport(db, lost, ({ status }) => status === 'succeeded')
  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  expect(row.attempt).toBe(held.row.attempt)
})

test('the jobs of the silent and of the unknown are freed, those of the living and of the newcomers are not', async ({
  createDatabase,
}) => {
  const { db } = await createDatabase()
  const history = await makeHistory(db, 1)
  const holders = ['pool-living', 'pool-silent', 'pool-unknown', 'pool-newcomer', 'pool-own']
  const jobs = new Map<string, string>()
  for (const holder of holders) {
    const id = await orderExport(db, history)
    const seconds = holder === 'pool-newcomer' ? 1 : 60
    await sql`
      update graphile_worker._private_jobs set locked_by = ${holder}, locked_at = now() - make_interval(secs => ${seconds})
      where key = 'export_transactions:' || ${id}`.execute(db)
    jobs.set(holder, id)
  }
  for (const pool of ['pool-living', 'pool-silent', 'pool-own']) await enterPool(db, pool)
  await sql`update exporter_pools set heartbeat_at = now() - interval '16 s' where id <> 'pool-living'`.execute(db)

  const dead = await releaseDeadPools(db, 'pool-own', OURS)

  expect(dead.sort()).toEqual(['pool-silent', 'pool-unknown'])
  const held = await Promise.all(holders.map(async (holder) => (await readJob(db, jobs.get(holder) ?? ''))?.locked_by))
  expect(held).toEqual(['pool-living', null, null, 'pool-newcomer', 'pool-own'])
  expect(await renewPool(db, 'pool-silent')).toBe(false)
  expect(await renewPool(db, 'pool-own')).toBe(true)
  expect(await releaseDeadPools(db, randomUUID(), OURS)).toEqual([])
})

test('a worker of another program in the same database keeps its long job', async ({ createDatabase }) => {
  const { db } = await createDatabase()
  await sql`select graphile_worker.add_job('send_newsletter', job_key := 'foreign')`.execute(db)
  await sql`
    update graphile_worker._private_jobs set locked_by = 'pool-foreign', locked_at = now() - interval '1 hour'
    where key = 'foreign'`.execute(db)

  expect(await releaseDeadPools(db, 'pool-own', OURS)).toEqual([])
  const { rows } = await sql<{ locked_by: string }>`
    select locked_by from graphile_worker.jobs where key = 'foreign'`.execute(db)
  expect(rows).toEqual([{ locked_by: 'pool-foreign' }])
})
