import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttemptName, Draft, ExportStore, StoredFile } from './export-store.ts'
import { draftNameOf, fileNameOf, parseFileName } from './file-name.ts'
import { openLocalDraft } from './local-draft.ts'

const FOLDER_MODE = 0o700

/** Stores exports as `<export>.<attempt>.xlsx` in one folder. */
export async function createFolderStore(folder: string): Promise<ExportStore> {
  await makeFolder(folder)
  return {
    openDraft: (attempt) => openFolderDraft(folder, attempt),
    async removeAttempt(attempt) {
      for (const name of [draftNameOf(attempt), fileNameOf(attempt)]) await rm(join(folder, name), { force: true })
    },
    remove: (file) => rm(join(folder, file), { force: true }),
    list: () => listFolder(folder),
  }
}

export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
}

export async function* listFolder(folder: string): AsyncGenerator<StoredFile> {
  for await (const { name: file } of await opendir(folder)) {
    const attempt = parseFileName(file)
    const modifiedAt = attempt && (await readModifiedAt(join(folder, file)))
    if (modifiedAt) yield { file, ...attempt, modifiedAt }
  }
}

/** @returns undefined if the file no longer exists */
async function readModifiedAt(path: string): Promise<Date | undefined> {
  try {
    return (await stat(path)).mtime
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function openFolderDraft(folder: string, attempt: AttemptName): Promise<Draft> {
  const file = fileNameOf(attempt)
  const path = join(folder, file)
  const draft = await openLocalDraft(join(folder, draftNameOf(attempt)))
  let kept = false
  return {
    stream: draft.stream,
    async publish() {
      // Rename only after the data is on disk: after a power cut the file is complete, or it does not exist.
      const digest = await draft.complete()
      await rename(draft.path, path)
      await syncFolder(folder)
      kept = true
      return { file, ...digest }
    },
    async [Symbol.asyncDispose]() {
      if (kept) return
      await draft[Symbol.asyncDispose]()
      await rm(path, { force: true })
    },
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
