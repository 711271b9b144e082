import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bucket } from '@streamledger/export-files'
import { ExportError } from './errors.ts'
import type { AttemptName, Draft, ExportStore, StoredFile } from './export-store.ts'
import { draftNameOf, fileNameOf, parseFileName } from './file-name.ts'
import { listFolder, makeFolder } from './folder-store.ts'
import { openLocalDraft } from './local-draft.ts'
import { retry } from './retry.ts'

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

/**
 * Stores exports in an S3 bucket. Each file is written to the local disk first, because S3 needs its size before the
 * first byte. So S3 stores a file completely or not at all.
 */
export async function createBucketStore(
  bucket: Bucket,
  folder: string,
  options: { patienceMs: number },
): Promise<ExportStore> {
  await makeFolder(folder)
  return {
    openDraft: (attempt) => openBucketDraft(bucket, folder, attempt, options),
    async removeAttempt(attempt) {
      await rm(join(folder, draftNameOf(attempt)), { force: true })
      await bucket.remove(fileNameOf(attempt))
    },
    async remove(file) {
      if (parseFileName(file)?.isDraft) return rm(join(folder, file), { force: true })
      await bucket.remove(file)
    },
    async *list() {
      yield* listFolder(folder)
      yield* listBucket(bucket)
    },
  }
}

async function* listBucket(bucket: Bucket): AsyncGenerator<StoredFile> {
  for await (const { key, modifiedAt } of bucket.list()) {
    const attempt = parseFileName(key)
    if (attempt && !attempt.isDraft) yield { file: key, ...attempt, modifiedAt }
  }
}

async function openBucketDraft(
  bucket: Bucket,
  folder: string,
  attempt: AttemptName,
  { patienceMs }: { patienceMs: number },
): Promise<Draft> {
  const file = fileNameOf(attempt)
  const draft = await openLocalDraft(join(folder, draftNameOf(attempt)))
  return {
    stream: draft.stream,
    async publish(signal) {
      const { size, sha256 } = await draft.complete()
      // The file is complete on the local disk, so the upload can be retried while S3 is down.
      const patience = { patienceMs, ...(signal && { signal }) }
      await retry(() => upload(bucket, { file, path: draft.path, size }), patience).catch((error) => {
        signal?.throwIfAborted() // a retry that a drain interrupts is not a failure
        throw error
      })
      return { file, size, sha256 }
    },
    // The local file is removed in any case.
    [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
  }
}

async function upload(
  bucket: Bucket,
  { file, path, size }: { file: string; path: string; size: number },
): Promise<void> {
  const content = createReadStream(path)
  try {
    await bucket.put(file, content, { type: XLSX, size })
    const arrived = await bucket.sizeOf(file)
    if (arrived !== size) throw new Error(`${arrived} bytes arrived, of ${size}`)
  } catch (error) {
    throw new ExportError('storage_unavailable', { cause: error })
  } finally {
    content.destroy()
  }
}
