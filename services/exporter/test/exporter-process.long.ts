import { join } from 'node:path'
import type { Db, Export } from '@streamledger/db'
import { expect, type SpawnService, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { onTestFinished } from 'vitest'
import { makeHistory } from './make-history.ts'
import { holdInMiddle, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { readWorkbook } from './read-workbook.ts'
import { listFiles, makeExportDir, SLOW } from './run-exporter.ts'
import { readPoolId } from './spawn-exporter.ts'

const MAIN = 'services/exporter/src/main.ts'
const ROWS = 1_000

async function spawnExporter(spawnService: SpawnService, env: Record<string, string>) {
  const exporter = await spawnService(MAIN, env)
  await exporter.ready()
  return exporter
}

async function expectComplete(dir: string, { id, file }: Pick<Export, 'id' | 'file'>): Promise<void> {
  expect(await listFiles(dir, id)).toEqual([file])
  const [sheet] = await readWorkbook(join(dir, file as string))
  expect(sheet?.rows.map(({ trans_id }) => trans_id)).toEqual(Array.from({ length: ROWS }, (_, n) => `order-${n + 1}`))
}

/** Releases the jobs of an exporter, like when it is declared dead. */
async function releaseJob(db: Db, exportId: string): Promise<void> {
  const job = await readJob(db, exportId)
  await sql`select from graphile_worker.force_unlock_workers(array[${job?.locked_by}])`.execute(db)
}

test('a SIGTERM in the middle of an export hands it back at once, and another exporter finishes it', async ({
  database: { db, url },
  spawnService,
}) => {
  const env = { DATABASE_URL: url, EXPORT_DIR: await makeExportDir(), DRAIN_TIMEOUT_MS: '1000' }
  const id = await orderExport(db, await makeHistory(db, ROWS), { maxAttempts: 1 })
  const first = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)

  first.signal('SIGTERM')

  expect(await first.exited).toEqual({ code: 0, signal: null })
  await held.release()
  expect(await listFiles(env.EXPORT_DIR, id)).toEqual([])
  expect(await readExport(db, id)).toMatchObject({ status: 'queued', attempt: null, rows_done: 0 })
  // Its only attempt was not used up, and it needs no waiting for.
  expect(await readJob(db, id)).toMatchObject({ locked_by: null, attempts: 0, due: true })
  await spawnExporter(spawnService, env)
  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  await expectComplete(env.EXPORT_DIR, row)
})

test('a short export that is running at SIGTERM is finished before the process exits', async ({
  database: { db, url },
  spawnService,
}) => {
  const env = {
    ...{ DATABASE_URL: url, EXPORT_DIR: await makeExportDir(), DRAIN_TIMEOUT_MS: '120000' },
    EXPORTER_HEARTBEAT_MS: '100',
  }
  const id = await orderExport(db, await makeHistory(db, ROWS))
  const exporter = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)

  exporter.signal('SIGTERM')
  await waitFor(async () => (await fetch(`${exporter.opsUrl}/health/ready`)).status === 503)
  // It sends heartbeats as long as it writes, so that no other exporter takes the export.
  const { now } = (await sql<{ now: Date }>`select now()`.execute(db)).rows[0] as { now: Date }
  const poolId = await waitFor(() => readPoolId(exporter.logs))
  const ofPool = db.selectFrom('exporter_pools').where('id', '=', poolId)
  await waitFor(async () => (await ofPool.select('heartbeat_at').executeTakeFirstOrThrow()).heartbeat_at > now)
  await held.release()

  expect(await exporter.exited).toEqual({ code: 0, signal: null })
  const row = await readExport(db, id)
  expect(row.status).toBe('succeeded')
  await expectComplete(env.EXPORT_DIR, row)
})

test('a connection that the server ends while nobody asks anything of it ends no exporter', async ({
  database: { db, url },
  spawnService,
}) => {
  const proxy = await startTcpProxy(url)
  onTestFinished(() => proxy.close())
  const env = { DATABASE_URL: proxy.address, EXPORT_DIR: await makeExportDir(), DRAIN_TIMEOUT_MS: '4000' }
  const id = await orderExport(db, await makeHistory(db, ROWS))
  const exporter = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)

  // The drain cancels the waiting statement over a separate connection, which is closed with the answer.
  const cancelling = proxy.hold('pg_cancel_backend')
  exporter.signal('SIGTERM')
  await waitFor(() => cancelling.isCaught)
  proxy.hang('to_client')
  cancelling.release()
  await waitFor(async () => {
    const { rows } = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like 'select pg_cancel_backend%' and state = 'idle'`.execute(db)
    return rows.length === 1
  })
  await waitFor(async () => {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and query like 'select pg_cancel_backend%'`.execute(
      db,
    )
    return rows.length === 0
  })
  proxy.release()

  expect(await exporter.exited).toEqual({ code: 0, signal: null })
  expect(exporter.logs).not.toContain('uncaught error')
  await held.release()
  expect(await readExport(db, id)).toMatchObject({ status: 'queued', attempt: null })
})

test('an exporter that is paused, replaced and woken loses to the one that took over', async ({
  database: { db, url },
  spawnService,
}) => {
  const env = { DATABASE_URL: url, EXPORT_DIR: await makeExportDir() }
  const id = await orderExport(db, await makeHistory(db, ROWS))
  const paused = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)
  paused.signal('SIGSTOP')
  await held.release()
  await releaseJob(db, id)

  await spawnExporter(spawnService, env)
  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  paused.signal('SIGCONT')
  await waitFor(() => paused.logs.includes('another attempt has replaced this one'))

  expect(row.attempt).not.toBe(held.row.attempt)
  expect(await readExport(db, id)).toEqual(row)
  await expectComplete(env.EXPORT_DIR, row)
})

test('what an exporter that was killed left behind is gone when the next one has finished', async ({
  database: { db, url },
  spawnService,
}) => {
  const env = { DATABASE_URL: url, EXPORT_DIR: await makeExportDir() }
  const id = await orderExport(db, await makeHistory(db, ROWS))
  const killed = await spawnExporter(spawnService, { ...env, ...SLOW })
  const held = await holdInMiddle(db, id)
  killed.signal('SIGKILL')
  await killed.exited
  await held.release()
  expect(await listFiles(env.EXPORT_DIR, id)).toEqual([expect.stringMatching(/\.xlsx\.part$/)])
  await releaseJob(db, id)

  await spawnExporter(spawnService, env)

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  await expectComplete(env.EXPORT_DIR, row)
})

test('the metrics tell how attempts ended, how many rows were written and how many jobs wait', async ({
  createDatabase,
  spawnService,
}) => {
  const { db, url } = await createDatabase()
  const history = await makeHistory(db, 30)
  const env = { DATABASE_URL: url, EXPORT_DIR: await makeExportDir() }
  const exporter = await spawnExporter(spawnService, env)
  const readMetrics = async () => (await fetch(`${exporter.opsUrl}/metrics`)).text()
  // If a series first appears with 1, Prometheus does not see an increase.
  const before = await readMetrics()
  for (const outcome of ['succeeded', 'failed', 'cancelled', 'replaced', 'interrupted', 'retried']) {
    expect(before).toContain(`streamledger_export_attempts_total{outcome="${outcome}",service="exporter"} 0`)
  }
  await waitForExport(db, await orderExport(db, history), ({ status }) => status === 'succeeded')

  const metrics = await waitFor(async () => {
    const text = await readMetrics()
    return text.includes('streamledger_export_attempts_total{outcome="succeeded",service="exporter"} 1') && text
  })

  expect(metrics).toContain('streamledger_export_rows_total{service="exporter"} 30')
  expect(metrics).toContain('streamledger_export_duration_seconds_count{service="exporter"} 1')
  expect(metrics).toContain('streamledger_export_jobs_waiting{service="exporter"} 0')
  expect(metrics).toContain('streamledger_exports_running{service="exporter"} 0')
  expect(metrics).toContain('streamledger_export_oldest_seconds{service="exporter"} 0')
  expect(metrics).toContain('streamledger_export_failures_total{code="balances_differ",service="exporter"} 0')
  expect(metrics).toMatch(/^database_connections\{pool="main",state="waited_for",service="exporter"\} 0$/m)
})

test('a start on an empty database makes the schema, and one on a wrong configuration names each variable', async ({
  createDatabase,
  spawnService,
}) => {
  const { url } = await createDatabase({ empty: true })
  const exporter = await spawnExporter(spawnService, { DATABASE_URL: url, EXPORT_DIR: await makeExportDir() })
  exporter.signal('SIGTERM')
  expect(await exporter.exited).toEqual({ code: 0, signal: null })

  const refused = await spawnService(MAIN, { DATABASE_URL: url, EXPORT_PAGE_ROWS: 'many' })
  expect(await refused.exited).toEqual({ code: 1, signal: null })
  expect(refused.logs).toMatch(/EXPORT_DIR is not set \(example: .*\); EXPORT_PAGE_ROWS must be integer/)
})

test('a start while the database is down waits for it, and then says that it was not there', async ({
  spawnService,
}) => {
  const exporter = await spawnService(MAIN, {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
    EXPORT_DIR: await makeExportDir(),
    DATABASE_START_TIMEOUT_MS: '300',
  })

  expect(await exporter.exited).toEqual({ code: 1, signal: null })
  expect(exporter.logs).toContain('could not be reached for 0.3 s')
})
