import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createDatabase, type Db } from '@streamledger/db'
import { expect, type ServiceProcess, type SpawnService, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { enterPool, releaseDeadPools, renewPool } from '../src/exporter-pools.ts'
import { makeHistory } from './make-history.ts'
import { holdInMiddle, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { readWorkbook } from './read-workbook.ts'
import { listFiles, makeExportDir, SLOW } from './run-exporter.ts'

const MAIN = 'services/exporter/src/main.ts'
const DEAD_AFTER_MS = 1_500
/** Heartbeats so quick that a test need not wait long for a death. */
const QUICK = { EXPORTER_HEARTBEAT_MS: '100', EXPORTER_DEAD_AFTER_MS: String(DEAD_AFTER_MS) }

interface RunningExporter {
  process: ServiceProcess
  poolId: string
}

async function spawnExporter(spawnService: SpawnService, env: Record<string, string>): Promise<RunningExporter> {
  const process = await spawnService(MAIN, { ...QUICK, ...env })
  await process.ready()
  return { process, poolId: await waitFor(() => readPoolId(process.logs)) }
}

function readPoolId(logs: string): string {
  const [, poolId] = /"poolId":"(pool-[0-9a-f]+)"/.exec(logs) ?? []
  if (poolId === undefined) throw new Error('it has not said which pool it is')
  return poolId
}

async function readTransIds(dir: string, file: string | null): Promise<unknown[]> {
  const sheets = await readWorkbook(join(dir, file as string))
  return sheets.flatMap(({ rows }) => rows.map(({ trans_id }) => trans_id))
}

const transIds = (rows: number): string[] => Array.from({ length: rows }, (_, n) => `order-${n + 1}`)

const countPools = async (db: Db): Promise<number> =>
  (await db.selectFrom('exporter_pools').select('id').execute()).length

test('an export survives the kill -9 of its exporter at five random moments, and nothing of the dead is left', async ({
  database: { db, url },
  spawnService,
}) => {
  const rows = 1_000
  const dir = await makeExportDir()
  const env = {
    ...{ DATABASE_URL: url, EXPORT_DIR: dir, EXPORTER_CONCURRENCY: '1' },
    ...{ EXPORT_PAGE_ROWS: '10', EXPORT_PROGRESS_INTERVAL_MS: '0' },
  }
  const history = await makeHistory(db, rows)
  const exporters = [await spawnExporter(spawnService, env), await spawnExporter(spawnService, env)]
  for (let moment = 0; moment < 5; moment += 1) {
    // One in each fifth of an export's life, the very beginning and the end included.
    const killedAt = Math.round(((moment + Math.random()) / 5) * rows)
    const id = await orderExport(db, history)
    const locked_by = await waitFor(async () => {
      const job = await readJob(db, id)
      const { rows_done } = await readExport(db, id)
      return (job?.locked_by !== null && rows_done >= killedAt && job?.locked_by) || job === undefined
    })
    const victim = exporters.findIndex(({ poolId }) => locked_by === true || poolId === locked_by)
    const [killed] = exporters.splice(victim, 1)
    killed?.process.signal('SIGKILL')
    await killed?.process.exited

    const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
    expect({ killedAt, ids: await readTransIds(dir, row.file) }).toEqual({ killedAt, ids: transIds(rows) })
    expect(await listFiles(dir, id)).toEqual([row.file])
    await waitFor(async () => (await readJob(db, id)) === undefined)
    exporters.push(await spawnExporter(spawnService, env))
  }
}, 300_000)

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
  expect(paused.process.logs).toContain('others have taken it for dead')
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

test('after an outage of the database nobody is taken for dead, however old the heartbeats are', async ({
  startPostgres,
  spawnService,
}) => {
  const postgres = await startPostgres()
  const env = { DATABASE_URL: postgres.url, EXPORT_DIR: await makeExportDir(), STATEMENT_TIMEOUT_MS: '500' }
  const exporters = [await spawnExporter(spawnService, env), await spawnExporter(spawnService, env)]
  await postgres.kill()
  const killedAt = performance.now()
  await waitFor(() => performance.now() - killedAt > 2 * DEAD_AFTER_MS)
  await postgres.start()
  await using database = await openDatabase(postgres.url)
  const { db } = database

  // Long enough for whoever would be taken for dead to be taken for dead.
  await waitFor(async () => {
    const { rows } = await sql<{ beating: number }>`
      select count(*) as beating from exporter_pools
      where heartbeat_at > pg_postmaster_start_time() + make_interval(secs => ${(3 * DEAD_AFTER_MS) / 1_000})`.execute(
      db,
    )
    return Number(rows[0]?.beating) === 2
  })

  for (const { process } of exporters) {
    expect(process.logs).toContain('a heartbeat failed')
    expect(process.logs).not.toContain('exporters are dead')
    process.signal('SIGTERM')
    expect(await process.exited).toEqual({ code: 0, signal: null })
  }
  expect(await countPools(db)).toBe(0)
})

async function openDatabase(url: string) {
  const { db, close } = createDatabase(url, {
    ...{ applicationName: 'test', connectionsMax: 1, statementTimeoutMs: 2_000 },
    onError: () => undefined,
  })
  return { db, [Symbol.asyncDispose]: close }
}

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

  const dead = await releaseDeadPools(db, 'pool-own', 15_000)

  expect(dead.sort()).toEqual(['pool-silent', 'pool-unknown'])
  const held = await Promise.all(holders.map(async (holder) => (await readJob(db, jobs.get(holder) ?? ''))?.locked_by))
  expect(held).toEqual(['pool-living', null, null, 'pool-newcomer', 'pool-own'])
  expect(await renewPool(db, 'pool-silent')).toBe(false)
  expect(await renewPool(db, 'pool-own')).toBe(true)
  expect(await releaseDeadPools(db, randomUUID(), 15_000)).toEqual([])
})
