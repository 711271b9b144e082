import { randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { openBucket } from '@streamledger/export-files'
import { expect, test } from '@streamledger/testkit'
import { createBucketStore } from '../src/bucket-store.ts'
import { loadExporterConfig } from '../src/config.ts'
import { makeExportDir } from './run-exporter.ts'

const MB = 1_000_000
const CHUNK = randomBytes(MB)
/** A workbook of a million rows is a fifth of it. */
const CHUNKS = 300
const SAMPLE_INTERVAL_MS = 20

test('a file is never whole in memory on its way into the bucket', async ({ startS3 }) => {
  const s3 = await startS3()
  const { files } = loadExporterConfig({ DATABASE_URL: 'postgres://unused', EXPORT_DIR: 'unused', ...s3.env })
  if (!files.bucket) throw new Error('there is no bucket')
  const store = await createBucketStore(await openBucket(files.bucket), await makeExportDir(), { patienceMs: 0 })
  await using draft = await store.openDraft({ exportId: randomUUID(), attempt: randomUUID() })

  const before = process.memoryUsage.rss()
  let peak = before
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, SAMPLE_INTERVAL_MS)
  await pipeline(Readable.from(Array.from({ length: CHUNKS }, () => CHUNK)), draft.stream)
  const { size } = await draft.publish()
  clearInterval(sampling)

  expect(size).toBe(CHUNKS * MB)
  expect(peak - before).toBeLessThan((CHUNKS / 2) * MB)
})
