import type { Db } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { expect, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { makeHistory } from './make-history.ts'
import { orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { listFiles, makeExportDir } from './run-exporter.ts'
import { DEAD_AFTER_MS, readTransIds, spawnExporter, transIds } from './spawn-exporter.ts'

const countPools = async (db: Db): Promise<number> =>
  (await db.selectFrom('exporter_pools').select('id').execute()).length

/** For a busy machine: a death is noticed within 1.5 s, and an export without a death takes 3 s. */
const PATIENCE_MS = 60_000

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

    const row = await waitForExport(db, id, ({ status }) => status === 'succeeded', PATIENCE_MS)
    expect({ killedAt, ids: await readTransIds(dir, row.file) }).toEqual({ killedAt, ids: transIds(rows) })
    expect(await listFiles(dir, id)).toEqual([row.file])
    await waitFor(async () => (await readJob(db, id)) === undefined)
    exporters.push(await spawnExporter(spawnService, env))
  }
}, 480_000)

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

  // Long enough for a wrong declaration of death to happen.
  await waitFor(async () => {
    const { rows } = await sql<{ beating: number }>`
      select count(*) as beating from exporter_pools
      where heartbeat_at > pg_postmaster_start_time() + make_interval(secs => ${(3 * DEAD_AFTER_MS) / 1_000})`.execute(
      db,
    )
    return Number(rows[0]?.beating) === 2
  })

  for (const { process } of exporters) {
    await waitFor(() => process.logs.includes('a heartbeat failed'))
    expect(process.logs).not.toContain('released the jobs of dead exporters')
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
