import { type FileHandle, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { AttemptName, Draft, ExportStore, StoredFile } from './export-store.ts'
import { createFileDigest } from './file-digest.ts'

const DRAFT_SUFFIX = '.part'
/** The API reads the files as the same user; nobody else reads people's statements. */
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/** Keeps exports as `<export>.<attempt>.xlsx` in one folder. */
export async function createFolderStore(folder: string): Promise<ExportStore> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  return {
    openDraft: (attempt) => openFolderDraft(folder, nameOf(attempt)),
    async removeOthers(attempt) {
      const own = nameOf(attempt)
      for await (const { name } of await opendir(folder)) {
        if (name.startsWith(`${attempt.exportId}.`) && !name.startsWith(own))
          await rm(join(folder, name), { force: true })
      }
    },
    remove: (file) => rm(join(folder, file), { force: true }),
    list: () => listFolder(folder),
  }
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const NAME = new RegExp(`^(${UUID})\\.(${UUID})\\.xlsx(\\${DRAFT_SUFFIX})?$`)

async function* listFolder(folder: string): AsyncGenerator<StoredFile> {
  for await (const { name: file } of await opendir(folder)) {
    const [, exportId, attempt, suffix] = NAME.exec(file) ?? []
    if (exportId === undefined || attempt === undefined) continue
    const modifiedAt = await readModifiedAt(join(folder, file))
    if (modifiedAt) yield { file, exportId, attempt, isDraft: suffix !== undefined, modifiedAt }
  }
}

/** @returns undefined when the file is gone meanwhile */
async function readModifiedAt(path: string): Promise<Date | undefined> {
  try {
    return (await stat(path)).mtime
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function nameOf({ exportId, attempt }: AttemptName): string {
  return `${exportId}.${attempt}.xlsx`
}

async function openFolderDraft(folder: string, name: string): Promise<Draft> {
  const path = join(folder, name)
  const draftPath = path + DRAFT_SUFFIX
  const handle = await open(draftPath, 'wx', FILE_MODE)
  const digest = createFileDigest()
  const written = pipeline(digest.stream, openFileEnd(handle))
  // Whoever writes sees the error on the stream; `publish` throws it again.
  written.catch(() => undefined)
  let kept = false
  return {
    stream: digest.stream,
    async publish() {
      await written
      // Only what the disk has may get its name: after a power cut the file is whole, or it isn't there.
      await handle.sync()
      await handle.close()
      await rename(draftPath, path)
      await syncFolder(folder)
      kept = true
      return { file: name, ...digest.result() }
    },
    async [Symbol.asyncDispose]() {
      if (kept) return
      digest.stream.destroy()
      await written.catch(() => undefined)
      await closeQuietly(handle)
      await rm(draftPath, { force: true })
      await rm(path, { force: true })
    },
  }
}

/**
 * Writes what it is given to the file. Of Node's own ways, `writeFile` of a stream ends that with an AbortError, so that
 * nobody would know why the disk refused, and `createWriteStream` has the handle wait for it before it closes.
 */
function openFileEnd(handle: FileHandle): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      handle.writeFile(chunk).then(() => callback(), callback)
    },
  })
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  // A file that is given up may fail to close, for one because it is closed already; its descriptor is gone either way.
  await handle.close().catch(() => undefined)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
