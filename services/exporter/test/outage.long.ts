import { spawnSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Db, migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import {
  expect,
  listOpenFiles,
  type ServiceProcess,
  type SpawnService,
  type TestDatabase,
  test,
  waitFor,
} from '@streamledger/testkit'
import { sql } from 'kysely'
import { onTestFinished } from 'vitest'
import { makeHistory } from './make-history.ts'
import { hurryJob, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { readWorkbook } from './read-workbook.ts'
import { listFiles, makeExportDir, SLOW } from './run-exporter.ts'

const MAIN = 'services/exporter/src/main.ts'
const QUICK = { EXPORTER_HEARTBEAT_MS: '100', EXPORTER_DEAD_AFTER_MS: '1000' }

/** Ways to make writes to the folder fail; each makes the kernel return another error. */
interface NoRoom {
  name: string
  via: readonly string[]
  /** Where the folder is seen as the exporter sees it. */
  seenFrom(service: ServiceProcess, dir: string): string
}

/** Files of at most 64 KB, which any Unix can do: write(2) fails with EFBIG. */
const smallFiles: NoRoom = {
  name: 'a limit on the size of files',
  via: ['sh', '-c', 'ulimit -f 128 && exec "$0" "$@"'],
  seenFrom: (_, dir) => dir,
}

const UNSHARE = ['unshare', '--user', '--map-root-user', '--mount']
/** A disk of 64 KB that only the exporter sees: write(2) fails with ENOSPC. Takes Linux, with user namespaces. */
const smallDisk: NoRoom = {
  name: 'a full disk',
  via: [...UNSHARE, 'sh', '-c', 'mount -t tmpfs -o size=64k exports "$EXPORT_DIR" && exec "$0" "$@"'],
  seenFrom: ({ pid }, dir) => join(`/proc/${pid}/root`, dir),
}

function listNoRoom(): NoRoom[] {
  const [command = '', ...args] = UNSHARE
  const { status } = spawnSync(command, [...args, 'mount', '-t', 'tmpfs', 'probe', '/mnt'])
  if (status === 0) return [smallFiles, smallDisk]
  console.warn(
    'NOT TESTED: a full disk, as this system does not let a test mount one; a limit on file sizes stands in.',
  )
  return [smallFiles]
}

test.for(listNoRoom())(
  'an export that meets $name fails with its reason, and leaves all of the room to the next',
  async ({ via, seenFrom }, { database: { db, url }, spawnService }) => {
    const dir = await makeExportDir()
    const exporter = await spawnService(MAIN, { DATABASE_URL: url, EXPORT_DIR: dir }, [], { via })
    await exporter.ready()
    const large = await orderExport(db, await makeHistory(db, 20_000), { maxAttempts: 1 })

    const failed = await waitForExport(db, large, ({ status }) => status === 'failed')
    expect(failed).toMatchObject({ error: 'storage_full', file: null })
    expect(await listFiles(seenFrom(exporter, dir))).toEqual([])
    expect(openDrafts(exporter)).toEqual([])

    const small = await orderExport(db, await makeHistory(db, 300))
    const { file } = await waitForExport(db, small, ({ status }) => status === 'succeeded')
    expect(await listFiles(seenFrom(exporter, dir))).toEqual([file])
    const metrics = await (await fetch(`${exporter.opsUrl}/metrics`)).text()
    expect(metrics).toContain('streamledger_export_failures_total{code="storage_full",service="exporter"} 1')
  },
)

/** The drafts that a process holds open. */
const openDrafts = ({ pid }: ServiceProcess): string[] => listOpenFiles(pid).filter((path) => path.includes('.xlsx'))

test('a database that is gone in the middle is waited for, and the same attempt goes on', async ({
  startPostgres,
  spawnService,
}) => {
  const postgres = await startPostgres()
  const db = await openMigrated(postgres.url)
  const dir = await makeExportDir()
  const id = await orderExport(db, await makeHistory(db, 400))
  const exporter = await spawnService(MAIN, { DATABASE_URL: postgres.url, EXPORT_DIR: dir, ...SLOW })
  await exporter.ready()
  const { attempt } = await waitForExport(db, id, ({ rows_done }) => rows_done > 0)

  await postgres.kill()
  await postgres.start()

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  expect(row.attempt).toBe(attempt)
  const [sheet] = await readWorkbook(join(dir, row.file as string))
  expect(sheet?.rows).toHaveLength(400)
})

test('a database that is gone for longer costs the attempt and not the export, and no half file stays', async ({
  startPostgres,
  spawnService,
}) => {
  const postgres = await startPostgres()
  const db = await openMigrated(postgres.url)
  const dir = await makeExportDir()
  const id = await orderExport(db, await makeHistory(db, 400))
  const env = { DATABASE_URL: postgres.url, EXPORT_DIR: dir, ...QUICK }
  const exporter = await spawnService(MAIN, { ...env, ...SLOW, EXPORTER_DATABASE_PATIENCE_MS: '100' })
  await exporter.ready()
  const { attempt } = await waitForExport(db, id, ({ rows_done }) => rows_done > 0)

  await postgres.kill()

  // It could not write how the job has ended. Another exporter takes it over when the database is back.
  expect(await exporter.exited).toEqual({ code: 1, signal: null })
  expect(exporter.logs).toContain('"failure":"database_unavailable"')
  expect(await listFiles(dir)).toEqual([])
  await postgres.start()
  const next = await spawnService(MAIN, env)
  await next.ready()

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  expect(row.attempt).not.toBe(attempt)
  expect(await listFiles(dir)).toEqual([row.file])
  await waitFor(async () => (await readJob(db, id)) === undefined)
})

test.for([
  { how: 'done', maxAttempts: 5, room: true },
  { how: 'failed', maxAttempts: 1, room: false },
])(
  'a job that is $how while the database is too busy to note it is noted later, and ends no exporter',
  async ({ maxAttempts, room }, { createDatabase, spawnService }) => {
    const { db, url } = await createDatabase()
    const dir = await makeExportDir()
    const history = await makeHistory(db, 10)
    await refuseToEndJobs(db)
    const exporter = await spawnService(MAIN, { DATABASE_URL: url, EXPORT_DIR: dir, ...QUICK })
    await exporter.ready()
    if (!room) await rm(dir, { recursive: true })
    const id = await orderExport(db, history, { maxAttempts })
    await waitForExport(db, id, ({ status }) => status === (room ? 'succeeded' : 'failed'))
    await delay(2_000) // some tries, and longer than an unstarted job may stay locked
    expect(await readJob(db, id)).toMatchObject({ attempts: 1, locked_by: expect.any(String) })

    await sql`drop trigger refuse_to_end on graphile_worker._private_jobs`.execute(db)

    await waitFor(async () => (await readJob(db, id))?.locked_by == null)
    expect(await readJob(db, id)).toEqual(room ? undefined : expect.objectContaining({ attempts: 1 }))
    expect(exporter.logs).not.toMatch(/the job worker has stopped|a heartbeat failed|locked but never started/)
    exporter.signal('SIGTERM')
    expect(await exporter.exited).toEqual({ code: 0, signal: null })
  },
)

/** An exporter that has written two exports, and cannot note it. */
async function startUnnoted({ db, url }: TestDatabase, spawnService: SpawnService, env: Record<string, string> = {}) {
  await refuseToEndJobs(db)
  const two = { ...QUICK, EXPORTER_CONCURRENCY: '2', ...env }
  const exporter = await spawnService(MAIN, { DATABASE_URL: url, EXPORT_DIR: await makeExportDir(), ...two })
  await exporter.ready()
  const histories = [await makeHistory(db, 10), await makeHistory(db, 10)]
  const ids = await Promise.all(histories.map((history) => orderExport(db, history)))
  for (const id of ids) await waitForExport(db, id, ({ status }) => status === 'succeeded')
  return exporter
}

test('an exporter stops in order while the ends of two jobs cannot be noted', async ({
  createDatabase,
  spawnService,
}) => {
  const exporter = await startUnnoted(await createDatabase(), spawnService)
  exporter.signal('SIGTERM')
  expect(await exporter.exited).toEqual({ code: 0, signal: null })
})

test('an exporter that gives up noting the ends of two jobs ends', async ({ createDatabase, spawnService }) => {
  const env = { EXPORTER_DATABASE_PATIENCE_MS: '100', DRAIN_TIMEOUT_MS: '1000' }
  const exporter = await startUnnoted(await createDatabase(), spawnService, env)
  expect(await exporter.exited).toEqual({ code: 1, signal: null })
  expect(exporter.logs).toContain('the job worker has stopped')
})

/** As a statement does that takes too long. */
async function refuseToEndJobs(db: Db): Promise<void> {
  await sql`
    create function refuse_to_end() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' or (old.locked_by is not null and new.locked_by is null) then
        raise exception 'not now' using errcode = 'query_canceled';
      end if;
      return new;
    end $$`.execute(db)
  await sql`
    create trigger refuse_to_end before update or delete on graphile_worker._private_jobs
    for each row execute function refuse_to_end()`.execute(db)
}

test('a file whose publication was never answered for is kept, as its export may point to it, and does', async ({
  startPostgres,
  spawnService,
}) => {
  const postgres = await startPostgres()
  const before = await openMigrated(postgres.url)
  // The commit that publishes is durable but waits for a standby that does not exist; other commits do not wait.
  for (const statement of [
    sql`alter role current_user set synchronous_commit = 'local'`,
    sql`create function wait_for_standby() returns trigger language plpgsql as $$
        begin perform set_config('synchronous_commit', 'on', true); return new; end $$`,
    sql`create trigger wait_for_standby before update on exports for each row
        when (new.status = 'succeeded') execute function wait_for_standby()`,
    sql`alter system set synchronous_standby_names = 'nobody'`,
    sql`select pg_reload_conf()`,
  ]) {
    await statement.execute(before)
  }
  const db = await openMigrated(postgres.url)
  const dir = await makeExportDir()
  const history = await makeHistory(db, 10)
  const exporter = await spawnService(MAIN, {
    ...{ DATABASE_URL: postgres.url, EXPORT_DIR: dir, EXPORTER_DATABASE_PATIENCE_MS: '0' },
  })
  await exporter.ready()

  const id = await orderExport(db, history)
  await waitFor(async () => {
    const { rows } = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`.execute(db)
    return rows.length > 0
  })

  await waitFor(() => exporter.logs.includes('"failure":"database_unavailable"'))
  await hurryJob(db, id)
  await waitFor(() => exporter.logs.includes('this export needs no more work'))
  const { status, file } = await readExport(db, id)
  expect(status).toBe('succeeded')
  expect(await listFiles(dir)).toEqual([file])
})

test('an exporter stops in order while the cron sleeps after an outage, and its export loses no attempt', async ({
  createDatabase,
  spawnService,
}) => {
  const { db, url } = await createDatabase()
  // As if the database were down for the cron alone: its pauses grow.
  await sql`alter table graphile_worker._private_known_crontabs rename to gone`.execute(db)
  const drainMs = 3_000
  const exporter = await spawnService(MAIN, {
    ...{ DATABASE_URL: url, EXPORT_DIR: await makeExportDir(), DRAIN_TIMEOUT_MS: String(drainMs), ...SLOW },
  })
  await exporter.ready()
  const history = await makeHistory(db, 10_000)
  const sleeps = () => [...exporter.logs.matchAll(/restarting in ([\d.]+)ms/g)].map(([, ms]) => Number(ms))
  await waitFor(() => (sleeps().at(-1) ?? 0) > 2 * drainMs, { timeoutMs: 60_000 })
  const id = await orderExport(db, history)
  await waitForExport(db, id, ({ rows_done }) => rows_done > 0)

  exporter.signal('SIGTERM')

  expect(await exporter.exited).toEqual({ code: 0, signal: null })
  expect(exporter.logs).not.toContain('stop took too long')
  expect(await readJob(db, id)).toMatchObject({ attempts: 0, locked_by: null })
})

async function openMigrated(url: string) {
  await migrate(url)
  const { db, close } = createDatabase(url, {
    ...{ applicationName: 'test', connectionsMax: 2, statementTimeoutMs: 2_000 },
    onError: () => undefined,
  })
  onTestFinished(close)
  return db
}
