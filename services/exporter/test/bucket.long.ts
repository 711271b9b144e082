import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { Db } from '@streamledger/db'
import { type Bucket, openBucket, readExportFilesConfig } from '@streamledger/export-files'
import { expect, type OwnS3, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { onTestFinished } from 'vitest'
import { createBucketStore } from '../src/bucket-store.ts'
import { loadExporterConfig } from '../src/config.ts'
import { makeHistory } from './make-history.ts'
import { hurryJob, orderExport, readExport, readJob, waitForExport } from './order-export.ts'
import { readWorkbook } from './read-workbook.ts'
import { listFiles, makeExportDir, runExporter } from './run-exporter.ts'

async function open(s3: OwnS3): Promise<Bucket> {
  const { files } = loadExporterConfig({ DATABASE_URL: 'postgres://unused', EXPORT_DIR: 'unused', ...s3.env })
  if (!files.bucket) throw new Error('there is no bucket')
  return openBucket(files.bucket)
}

async function listKeys(bucket: Bucket): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of bucket.list()) keys.push(key)
  return keys.sort()
}

async function put(bucket: Bucket, key: string, text = 'content'): Promise<void> {
  await bucket.put(key, Buffer.from(text), { type: 'text/plain', size: text.length })
}

async function download(bucket: Bucket, key: string): Promise<Buffer> {
  const url = await bucket.urlOf(key, { expiresS: 60, filename: 'file', type: 'text/plain' })
  return Buffer.from(await (await fetch(url)).arrayBuffer())
}

async function runTask(db: Db, task: string): Promise<void> {
  await sql`select graphile_worker.add_job(${task}, job_key := ${task})`.execute(db)
  await waitFor(async () => {
    const { rows } = await sql`select from graphile_worker.jobs where key = ${task}`.execute(db)
    return rows.length === 0
  })
}

test('an export is in the bucket, whole, and nothing of it stays on the disk', async ({ createDatabase, startS3 }) => {
  const { db, url } = await createDatabase()
  const s3 = await startS3()
  const bucket = await open(s3)
  const dir = await makeExportDir()
  await runExporter(url, dir, s3.env)
  const history = await makeHistory(db, 3_000)

  const row = await waitForExport(db, await orderExport(db, history), ({ status }) => status === 'succeeded')

  expect(await listKeys(bucket)).toEqual([row.file])
  expect(await listFiles(dir)).toEqual([])
  const bytes = await download(bucket, row.file as string)
  expect(bytes.length).toBe(row.size)
  const path = join(await makeExportDir(), 'copy.xlsx')
  await writeFile(path, bytes)
  const [sheet] = await readWorkbook(path)
  expect(sheet?.rows).toHaveLength(3_000)
})

test('an S3 that is down costs an attempt, says so, and has the file once it is back', async ({
  createDatabase,
  startS3,
}) => {
  const { db, url } = await createDatabase()
  const s3 = await startS3()
  const dir = await makeExportDir()
  await runExporter(url, dir, { ...s3.env, EXPORT_S3_PATIENCE_MS: '0' })
  await s3.kill()
  const id = await orderExport(db, await makeHistory(db, 30))
  const last = await orderExport(db, await makeHistory(db, 30), { maxAttempts: 1 })

  const job = await waitFor(async () => {
    const found = await readJob(db, id)
    if (found?.attempts !== 1 || found.locked_by !== null) throw new Error('its first attempt is not over')
    return found
  })
  expect(job.last_error).toBe('The file could not be stored.')
  const failed = await waitForExport(db, last, ({ status }) => status === 'failed')
  expect(failed).toMatchObject({ error: 'storage_unavailable', file: null })
  expect(await listFiles(dir)).toEqual([])
  await s3.start()
  await hurryJob(db, id)

  const row = await waitForExport(db, id, ({ status }) => status === 'succeeded')
  expect(await listKeys(await open(s3))).toEqual([row.file])
})

test('what is in the bucket expires and is swept as it is in a folder', async ({ createDatabase, startS3 }) => {
  const { db, url } = await createDatabase()
  const s3 = await startS3()
  const bucket = await open(s3)
  const dir = await makeExportDir()
  await runExporter(url, dir, s3.env)
  const history = await makeHistory(db, 3)
  const [late = '', kept = ''] = [await orderExport(db, history), await orderExport(db, history)]
  await waitForExport(db, late, ({ status }) => status === 'succeeded')
  const { file } = await waitForExport(db, kept, ({ status }) => status === 'succeeded')
  await db.updateTable('exports').set({ expires_at: new Date() }).where('id', '=', late).execute()
  const strays = [`${kept}.${randomUUID()}.xlsx`, `${late}.${randomUUID()}.xlsx`]
  const others = ['notes.txt', `${randomUUID()}.${randomUUID()}.xlsx`]
  for (const key of [...strays, ...others]) await put(bucket, key)
  await writeFile(join(dir, `${kept}.${randomUUID()}.xlsx.part`), 'content')
  // Files of another program, with odd keys.
  const odd = ['0/year=2026/ü #1.xlsx', '0#1.xlsx', 'z=1']
  for (const key of odd) await put(bucket, key)

  await runTask(db, 'expire_exports')
  await runTask(db, 'sweep_files')

  expect(await listKeys(bucket)).toEqual([file, ...others, ...odd].sort())
  expect(await listFiles(dir)).toEqual([])
})

test('an attempt that is repeated removes what the one before it left in the bucket', async ({
  createDatabase,
  startS3,
}) => {
  const { db, url } = await createDatabase()
  const s3 = await startS3()
  const bucket = await open(s3)
  const id = await orderExport(db, await makeHistory(db, 3))
  const attempt = randomUUID()
  await db.updateTable('exports').set({ status: 'running', attempt }).where('id', '=', id).execute()
  await put(bucket, `${id}.${attempt}.xlsx`)
  await runExporter(url, await makeExportDir(), s3.env)

  const { file } = await waitForExport(db, id, ({ status }) => status === 'succeeded')

  expect(await listKeys(bucket)).toEqual([file])
})

test('an S3 that is down for a moment costs no attempt: what is written waits for it', async ({ startS3 }) => {
  const s3 = await startS3()
  const real = await open(s3)
  let tries = 0
  const counting: Bucket = {
    ...real,
    put: (...args) => {
      tries += 1
      return real.put(...args)
    },
  }
  const dir = await makeExportDir()
  const store = await createBucketStore(counting, dir, { patienceMs: 60_000 })
  await using draft = await store.openDraft({ exportId: randomUUID(), attempt: randomUUID() })
  draft.stream.end('all of it')
  await s3.kill()
  const published = draft.publish()
  await waitFor(() => tries > 1)
  await s3.start()

  const { file, size } = await published

  expect(size).toBe(9)
  expect((await download(real, file)).toString()).toBe('all of it')
})

test('a workbook that waits for S3 is handed back by an exporter that stops', async ({ createDatabase }) => {
  const { db, url } = await createDatabase()
  const dir = await makeExportDir()
  let tries = 0
  const broken = createServer((socket) => {
    tries += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void broken.close())
  const exporter = await runExporter(url, dir, {
    ...{ EXPORT_STORE: 's3', EXPORT_S3_BUCKET: 'exports', EXPORT_S3_PATIENCE_MS: '600000', DRAIN_TIMEOUT_MS: '1000' },
    EXPORT_S3_ENDPOINT: `http://127.0.0.1:${(broken.address() as AddressInfo).port}`,
    ...{ EXPORT_S3_ACCESS_KEY_ID: 'key', EXPORT_S3_SECRET_ACCESS_KEY: 'secret' },
  })
  const id = await orderExport(db, await makeHistory(db, 3), { maxAttempts: 1 })
  await waitFor(() => tries > 0)

  await exporter.stop()

  expect(await readExport(db, id)).toMatchObject({ status: 'queued', attempt: null })
  expect(await readJob(db, id)).toMatchObject({ attempts: 0, due: true })
  expect(await listFiles(dir)).toEqual([])
})

test('a file of which a part is lost on its way is not published', async ({ startS3 }) => {
  const real = await open(await startS3())
  // An S3 cannot be made to lose data, so this one gets less data.
  const losing = { ...real, put: (key: string) => put(real, key, 'half') }
  const dir = await makeExportDir()
  const store = await createBucketStore(losing, dir, { patienceMs: 0 })
  await using draft = await store.openDraft({ exportId: randomUUID(), attempt: randomUUID() })
  draft.stream.end('all of it')

  await expect(draft.publish()).rejects.toMatchObject({
    code: 'storage_unavailable',
    cause: { message: '4 bytes arrived, of 9' },
  })
})

test('a bucket is looked through to its end, however many answers that takes', async ({ startS3 }) => {
  const real = await open(await startS3())
  // An answer of S3 has up to a thousand keys.
  const paging = { ...real, list: () => real.list({ pageKeys: 2 }) }
  const store = await createBucketStore(paging, await makeExportDir(), { patienceMs: 0 })
  const keys = Array.from({ length: 5 }, () => `${randomUUID()}.${randomUUID()}.xlsx`)
  for (const key of keys) await put(real, key)

  const listed: string[] = []
  for await (const { file } of store.list()) listed.push(file)
  expect(listed.sort()).toEqual(keys.sort())
})

test('a bucket without a name, or a key without its secret, refuses the start', () => {
  const env = {
    EXPORT_DIR: 'exports',
    EXPORT_STORE: 's3',
    EXPORT_S3_REGION: 'eu-west-1',
    EXPORT_S3_PATH_STYLE: 'false',
  }
  const read = (vars: object) => () => readExportFilesConfig({ ...env, ...vars } as never)
  expect(read({})).toThrow('EXPORT_STORE=s3 needs EXPORT_S3_BUCKET')
  expect(read({ EXPORT_S3_BUCKET: 'files', EXPORT_S3_ACCESS_KEY_ID: 'key' })).toThrow('go together')
  expect(read({ EXPORT_S3_BUCKET: 'files' })()).toMatchObject({ bucket: { bucket: 'files', credentials: undefined } })
})
