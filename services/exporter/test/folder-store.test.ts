import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { expect, listOpenFiles, test } from '@streamledger/testkit'
import { onTestFinished, vi } from 'vitest'
import { createFolderStore } from '../src/folder-store.ts'
import { listFiles, makeExportDir } from './run-exporter.ts'

const NAME = { exportId: 'export-1', attempt: 'attempt-1' }

test('a published draft is whole, under its own name, with its size and checksum', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  const content = randomBytes(300_000)
  await using draft = await store.openDraft(NAME)
  expect(await listFiles(dir)).toEqual(['export-1.attempt-1.xlsx.part'])

  await pipeline([content.subarray(0, 100_000), content.subarray(100_000)], draft.stream, { end: true })
  const published = await draft.publish()

  expect(published).toEqual({
    file: 'export-1.attempt-1.xlsx',
    size: 300_000,
    sha256: createHash('sha256').update(content).digest('hex'),
  })
  expect(await listFiles(dir)).toEqual([published.file])
  expect(await readFile(join(dir, published.file))).toEqual(content)
})

test('a draft that is not published leaves neither a file nor an open descriptor', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  {
    await using draft = await store.openDraft(NAME)
    draft.stream.write(randomBytes(100_000))
  }
  expect(await listFiles(dir)).toEqual([])
  expect(openFilesBelow(dir)).toEqual([])
})

test('an attempt has one draft: a second does not write over the first', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  await using draft = await store.openDraft(NAME)

  await expect(store.openDraft(NAME)).rejects.toMatchObject({ code: 'EEXIST' })

  draft.stream.end('content')
  const { file } = await draft.publish()
  expect(await readFile(join(dir, file), 'utf8')).toBe('content')
})

test('what is published is on the disk before it has its name, and its name is before anybody hears of it', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  await using draft = await store.openDraft(NAME)
  const synced = await watchSyncs(dir)

  draft.stream.end('content')
  await draft.publish()

  expect(synced).toEqual([
    { isFolder: false, size: 7, files: ['export-1.attempt-1.xlsx.part'] },
    { isFolder: true, size: expect.any(Number), files: ['export-1.attempt-1.xlsx'] },
  ])
})

test('a file whose name the disk does not keep is taken back', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  await expect(
    (async () => {
      await using draft = await store.openDraft(NAME)
      await watchSyncs(dir, ({ isFolder }) => {
        if (isFolder) throw Object.assign(new Error('no disk keeps anything any more'), { code: 'EIO' })
      })
      draft.stream.end('content')
      await draft.publish()
    })(),
  ).rejects.toMatchObject({ code: 'EIO' })
  expect(await listFiles(dir)).toEqual([])
  expect(openFilesBelow(dir)).toEqual([])
})

interface Sync {
  isFolder: boolean
  size: number
  /** What the folder shows at that moment. */
  files: string[]
}

/** Records what is made durable, and when, because a test cannot cut the power. */
async function watchSyncs(dir: string, onSync: (sync: Sync) => void = () => undefined): Promise<Sync[]> {
  const synced: Sync[] = []
  const handle = await open(dir, 'r')
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const { sync } = prototype
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    const stats = await this.stat()
    const seen = { isFolder: stats.isDirectory(), size: stats.size, files: await listFiles(dir) }
    synced.push(seen)
    onSync(seen)
    return sync.call(this)
  })
  onTestFinished(() => spy.mockRestore())
  return synced
}

test('a draft whose file cannot get its name says why and leaves nothing', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  await expect(
    (async () => {
      await using draft = await store.openDraft(NAME)
      draft.stream.end('content')
      await rm(join(dir, 'export-1.attempt-1.xlsx.part'))
      await draft.publish()
    })(),
  ).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await listFiles(dir)).toEqual([])
  expect(openFilesBelow(dir)).toEqual([])
})

test('removing what one attempt left touches neither another attempt nor another export', async () => {
  const dir = await makeExportDir()
  const store = await createFolderStore(dir)
  const others = ['export-1.attempt-2.xlsx', 'export-10.attempt-0.xlsx']
  for (const name of ['export-1.attempt-0.xlsx', 'export-1.attempt-0.xlsx.part', ...others]) {
    await writeFile(join(dir, name), '')
  }
  await using draft = await store.openDraft(NAME)

  await store.removeAttempt({ ...NAME, attempt: 'attempt-0' })

  expect(await listFiles(dir)).toEqual(['export-1.attempt-1.xlsx.part', ...others])
  draft.stream.end('content')
  const { file } = await draft.publish()
  await store.remove(file)
  await store.remove(file)
  expect(await listFiles(dir)).toEqual(others)
})

const openFilesBelow = (dir: string): string[] =>
  listOpenFiles(process.pid).filter((path) => path.startsWith(`${dir}/`))
