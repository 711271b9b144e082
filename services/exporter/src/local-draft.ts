import { type FileHandle, open, rm } from 'node:fs/promises'
import { type Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createFileDigest } from './file-digest.ts'

/** Only this user may read the files. The API runs as the same user. */
const FILE_MODE = 0o600

/** A file that is being written to the local disk. Disposing it removes it. */
export interface LocalDraft extends AsyncDisposable {
  readonly path: string
  readonly stream: Transform
  /** Makes the file durable; its stream must have ended. */
  complete(): Promise<{ size: number; sha256: string }>
}

export async function openLocalDraft(path: string): Promise<LocalDraft> {
  const handle = await open(path, 'wx', FILE_MODE)
  const digest = createFileDigest()
  const written = pipeline(digest.stream, openFileEnd(handle))
  // Not unhandled: the writer gets the error on the stream, and `complete` throws it again.
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
 * Writes its input to the file. Node's own ways do not fit: `writeFile` with a stream fails with an AbortError, which
 * hides the disk's error, and with `createWriteStream` the handle's close waits for the stream.
 */
function openFileEnd(handle: FileHandle): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      handle.writeFile(chunk).then(() => callback(), callback)
    },
  })
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  // Closing may fail, for example because the file is already closed. Its descriptor is released in any case.
  await handle.close().catch(() => undefined)
}
