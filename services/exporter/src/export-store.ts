import type { Writable } from 'node:stream'

/** Where finished workbooks are kept. Every attempt at an export has a file of its own, so no attempt can harm another's. */
export interface ExportStore {
  openDraft(attempt: AttemptName): Promise<Draft>
  /** Removes what earlier attempts at this export left, published or not. */
  removeOthers(attempt: AttemptName): Promise<void>
  /** Removes a published file; it is no error if there is none. */
  remove(file: string): Promise<void>
  /** All that attempts have left, published or not. What is none of them is not shown, and so never swept away. */
  list(): AsyncIterable<StoredFile>
}

export interface StoredFile extends AttemptName {
  /** What `remove` takes. */
  file: string
  isDraft: boolean
  /** For a draft: when it was last written to. */
  modifiedAt: Date
}

export interface AttemptName {
  exportId: string
  /** The attempt's uuid. */
  attempt: string
}

/** A file that nobody can download yet. Disposed of before it is published, it leaves nothing behind. */
export interface Draft extends AsyncDisposable {
  readonly stream: Writable
  /** Makes the file, whose stream has ended, durable and complete under its final name. An abort ends no more than its waiting. */
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
