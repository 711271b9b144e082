import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import type { Readable } from 'node:stream'

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

export interface ExportFileView {
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
