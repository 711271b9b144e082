import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createDatabase } from '@streamledger/db/database'
import { openBucket } from '@streamledger/export-files'
import { createLogger, createRegistry } from '@streamledger/runtime'
import { expect, test } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { createBucketStore } from '../src/bucket-store.ts'
import { loadExporterConfig } from '../src/config.ts'
import { createCpuBudget } from '../src/cpu-budget.ts'
import type { ExportStore, StoredFile } from '../src/export-store.ts'
import { createFolderStore } from '../src/folder-store.ts'
import { createHandBack } from '../src/hand-back.ts'
import { createExporterMetrics } from '../src/metrics.ts'
import { exportTransactions } from '../src/tasks/export-transactions.ts'
import { makeHistory } from './make-history.ts'
import { orderExport, readExport } from './order-export.ts'
import { makeExportDir } from './run-exporter.ts'

/** The store of an exporter that is frozen at the moment before it removes what another attempt left. */
function freezeBeforeRemoving(store: ExportStore) {
  const [frozen, woken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  return {
    isFrozen: frozen.promise,
    wake: woken.resolve,
    store: {
      ...store,
      async removeAttempt(attempt) {
        frozen.resolve()
        await woken.promise
        await store.removeAttempt(attempt)
      },
    } satisfies ExportStore,
  }
}

/** Runs the job of an export once, without a queue. */
function runAttempt(url: string, store: ExportStore, exportId: string): Promise<unknown> {
  const database = createDatabase(url, {
    ...{ applicationName: 'streamledger exporter', connectionsMax: 2, statementTimeoutMs: 10_000 },
    onError: () => undefined,
  })
  onTestFinished(() => database.close())
  const task = exportTransactions({
    ...{ db: database.db, store, cpuBudget: createCpuBudget(100), handBack: createHandBack(database.db) },
    metrics: createExporterMetrics(createRegistry('exporter'), database),
    logger: createLogger({ service: 'exporter', level: 'silent' }),
    options: { pageRows: 100, progressIntervalMs: 0, ttlH: 1, patienceMs: 5_000 },
  })
  const helpers = { job: { id: '1', attempts: 1, max_attempts: 5 }, abortSignal: new AbortController().signal }
  return Promise.resolve(task({ export_id: exportId }, helpers as unknown as Parameters<typeof task>[1]))
}

async function listAll(store: ExportStore): Promise<string[]> {
  const files: StoredFile[] = []
  for await (const file of store.list()) files.push(file)
  return files.map(({ file }) => file).sort()
}

test.for(['folder', 'bucket'] as const)(
  'an exporter that wakes up removes what was left before it, and not what its successor has published: %s',
  async (kind, { database: { db, url }, startS3 }) => {
    const dir = await makeExportDir()
    const store = kind === 'folder' ? await createFolderStore(dir) : await makeBucketStore(dir, (await startS3()).env)
    const id = await orderExport(db, await makeHistory(db, 10))
    const killed = randomUUID()
    const started = { status: 'running', attempt: killed, started_at: new Date() } as const
    await db.updateTable('exports').set(started).where('id', '=', id).execute()
    await writeFile(join(dir, `${id}.${killed}.xlsx.part`), 'half of it')
    const frozen = freezeBeforeRemoving(store)
    const woken = expect(runAttempt(url, frozen.store, id)).rejects.toMatchObject({ code: 'replaced' })
    await frozen.isFrozen

    await runAttempt(url, store, id)
    const { status, file } = await readExport(db, id)
    frozen.wake()
    await woken

    expect(status).toBe('succeeded')
    expect(await listAll(store)).toEqual([file])
  },
)

async function makeBucketStore(dir: string, env: Record<string, string>): Promise<ExportStore> {
  const { files } = loadExporterConfig({ DATABASE_URL: 'postgres://unused', EXPORT_DIR: dir, ...env })
  if (!files.bucket) throw new Error('there is no bucket')
  return createBucketStore(await openBucket(files.bucket), dir, { patienceMs: 0 })
}
