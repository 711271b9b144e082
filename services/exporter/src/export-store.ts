import type { Writable } from 'node:stream'

/** The store of finished workbooks. Each attempt at an export has its own file, so attempts cannot harm each other. */
export interface ExportStore {
  openDraft(attempt: AttemptName): Promise<Draft>
  /** Removes what an attempt left, published or not. Only for an attempt that can no longer publish. */
  removeAttempt(attempt: AttemptName): Promise<void>
  /** Removes a published file; a missing file is no error. */
  remove(file: string): Promise<void>
  /** All files of attempts, published or not. Other files are not listed, so they are never swept. */
  list(): AsyncIterable<StoredFile>
}

export interface StoredFile extends AttemptName {
  /** The argument of `remove`. */
  file: string
  isDraft: boolean
  /** For a draft, the time of the last write. */
  modifiedAt: Date
}

export interface AttemptName {
  exportId: string
  /** The attempt's uuid. */
  attempt: string
}

/** A file that cannot be downloaded yet. If it is disposed before it is published, it is removed. */
export interface Draft extends AsyncDisposable {
  readonly stream: Writable
  /** Stores the file durably under its final name; the stream must have ended. An abort only stops further retries. */
  publish(signal?: AbortSignal): Promise<PublishedFile>
}

export interface PublishedFile {
  /** The store's key: for the folder, the file's name in it. */
  file: string
  /** In bytes. */
  size: number
  /** In hexadecimal. */
  sha256: string
}
