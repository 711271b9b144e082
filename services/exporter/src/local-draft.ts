import { type FileHandle, open, rm } from 'node:fs/promises'
import { type Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createFileDigest } from './file-digest.ts'

/** The API reads the files as the same user; nobody else reads people's statements. */
const FILE_MODE = 0o600

/** A file that is being written on this machine's disk. Disposed of, it is gone. */
export interface LocalDraft extends AsyncDisposable {
  readonly path: string
  readonly stream: Transform
  /** Makes the file, whose stream has ended, durable. */
  complete(): Promise<{ size: number; sha256: string }>
}

export async function openLocalDraft(path: string): Promise<LocalDraft> {
  const handle = await open(path, 'wx', FILE_MODE)
  const digest = createFileDigest()
  const written = pipeline(digest.stream, openFileEnd(handle))
  // Whoever writes sees the error on the stream; `complete` throws it again.
  written.catch(() => undefined)
  return {
    path,
    stream: digest.stream,
    async complete() {
      await written
      await handle.sync()
      await handle.close()
      return digest.result()
    },
    async [Symbol.asyncDispose]() {
      digest.stream.destroy()
      await written.catch(() => undefined)
      await closeQuietly(handle)
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
