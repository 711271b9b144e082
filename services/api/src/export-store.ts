import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bucket, openBucket } from '@streamledger/export-files'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'

export interface ByteRange {
  /** First and last byte, both included. */
  start: number
  end: number
}

export interface ExportFile {
  size: number
  /** Closes the file at its end, or when it is destroyed. */
  stream(range?: ByteRange): Readable
  close(): Promise<void>
}

/** A URL where the client can download the file itself, for a limited time. */
export interface ExportLink {
  url: string
}

interface ExportFileView {
  /** The name that clients save it under. */
  filename: string
  type: string
  expires_at: Date
}

/** The store of the finished workbooks. */
export interface ExportFiles {
  /** @returns undefined when there is no such file */
  open(name: string, view: ExportFileView): Promise<ExportFile | ExportLink | undefined>
  remove(name: string): Promise<void>
}

/** Reads the folder that the exporter publishes to. */
export function createExportFolder(folder: string): ExportFiles {
  return {
    open: async (name) => {
      const handle = await openIfThere(pathWithin(folder, name))
      if (!handle) {
        await stat(folder) // throws if the folder itself is missing: its files are then not lost, only out of reach
        return undefined
      }
      const { size } = await handle.stat()
      return { size, stream: (range) => handle.createReadStream({ ...range }), close: () => handle.close() }
    },
    remove: async (name) => rm(pathWithin(folder, name), { force: true }),
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The name comes from our own database. Even a manipulated row must not reach a file outside the folder. */
function pathWithin(folder: string, name: string): string {
  const path = resolve(folder, name)
  const inside = relative(resolve(folder), path)
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
    throw new Error('the file of an export lies outside EXPORT_DIR')
  }
  return path
}

const SECOND_MS = 1_000
/**
 * How long to wait for the bucket to say whether it has a file. Short: a user waits, and the bucket reports it as well.
 */
const LOOK_MS = 1_000
/** How long an answer waits until a file is removed. The removal goes on after that. */
const REMOVAL_MS = 1_000

/** Redirects clients to the bucket, which handles ranges and ETags itself: no byte of a file goes through the API. */
function createExportBucket(bucket: Bucket, { urlTtlS }: { urlTtlS: number }): ExportFiles {
  return {
    async open(name, { filename, type, expires_at }) {
      if (await isMissing(bucket, name)) return undefined
      // The URL must not outlive the export.
      const leftS = Math.floor((expires_at.getTime() - Date.now()) / SECOND_MS)
      const expiresS = Math.max(1, Math.min(urlTtlS, leftS))
      return { url: await bucket.urlOf(name, { expiresS, filename, type }) }
    },
    remove: (name) => bucket.remove(name),
  }
}

/** False also if this is unknown (no answer, no permission): the client then gets the error from the bucket. */
async function isMissing(bucket: Bucket, name: string): Promise<boolean> {
  const looked = bucket.sizeOf(name).then((size) => size === undefined)
  const noAnswer = sleep(LOOK_MS, false, { ref: false })
  return Promise.race([looked, noAnswer]).catch(() => false)
}

/** Opens the store of the exporter's files: a folder or a bucket. */
export async function openExportFiles(
  { files: { folder, bucket }, exports: { urlTtlS } }: Pick<ApiConfig, 'files' | 'exports'>,
  logger: Logger,
): Promise<ExportFiles> {
  const files = bucket ? createExportBucket(await openBucket(bucket), { urlTtlS }) : createExportFolder(folder)
  return {
    ...files,
    async remove(name) {
      // The export's row is already deleted. The request still succeeds: the exporter removes the file later. An S3 that
      // does not answer must not hold the answer, nor the stop that waits for it: the SDK gives up after a minute.
      const removed = files
        .remove(name)
        .catch((error) => logger.warn({ err: error, file: name }, 'a file was not removed'))
      await Promise.race([removed, sleep(REMOVAL_MS, undefined, { ref: false })])
    },
  }
}
