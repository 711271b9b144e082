import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk } from '@streamledger/export-files'
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
  disk: Disk,
  folder: string,
  options: { patienceMs: number },
): Promise<ExportStore> {
  await makeFolder(folder)
  return {
    openDraft: (attempt) => openBucketDraft(disk, folder, attempt, options),
    async removeAttempt(attempt) {
      await rm(join(folder, draftNameOf(attempt)), { force: true })
      await disk.delete(fileNameOf(attempt))
    },
    async remove(file) {
      if (parseFileName(file)?.isDraft) return rm(join(folder, file), { force: true })
      await disk.delete(file)
    },
    async *list() {
      yield* listFolder(folder)
      yield* listBucket(disk)
    },
  }
}

async function* listBucket(disk: Disk): AsyncGenerator<StoredFile> {
  let paginationToken: string | undefined
  do {
    const page = await disk.listAll(undefined, { recursive: true, ...(paginationToken && { paginationToken }) })
    for (const object of page.objects) {
      const attempt = object.isFile && parseFileName(object.key)
      if (!attempt || attempt.isDraft) continue
      const { lastModified } = await object.getMetaData()
      yield { file: object.key, ...attempt, modifiedAt: lastModified }
    }
    paginationToken = page.paginationToken
  } while (paginationToken)
}

async function openBucketDraft(
  disk: Disk,
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
      await retry(() => upload(disk, { file, path: draft.path, size }), patience).catch((error) => {
        signal?.throwIfAborted() // a retry that a drain interrupts is not a failure
        throw error
      })
      return { file, size, sha256 }
    },
    // The local file is removed in any case.
    [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
  }
}

async function upload(disk: Disk, { file, path, size }: { file: string; path: string; size: number }): Promise<void> {
  const content = createReadStream(path)
  try {
    await disk.putStream(file, content, { contentType: XLSX, contentLength: size })
    const { contentLength } = await disk.getMetaData(file)
    if (contentLength !== size) throw new Error(`${contentLength} bytes arrived, of ${size}`)
  } catch (error) {
    throw new ExportError('storage_unavailable', { cause: error })
  } finally {
    content.destroy()
  }
}
