import type { Receipt } from '@streamledger/kafka'

export type { Receipt } from '@streamledger/kafka'

/** An outbox row as it is published. */
export interface OutboxRow {
  id: number
  key: string
  payload: string
  headers: Record<string, string>
}

/** The rows of one Kafka transaction. Postgres stores which rows they are before anything is sent to Kafka. */
export interface Batch {
  seq: number
  batchId: string
  rows: OutboxRow[]
  /** Age of the oldest row when the batch was named; undefined: the batch is empty, or was found open by recovery. */
  oldestAgeMs?: number | undefined
}

/** What Kafka shows of a partition. */
export interface Sight {
  /** Undefined: there is none. A string: a receipt that cannot be parsed. */
  receipt: Receipt | string | undefined
  /** The last stable offset, up to which consumers read: the first offset of an open transaction, or the end. */
  stable: number
}

/** One partition's writer. Opening one fences all earlier writers, so only one can commit at any time. */
export interface Publisher {
  /** Publishes a batch with its receipt in one Kafka transaction. After any error its outcome is unknown. */
  publish(batch: Batch): Promise<Receipt>
  /** Writes a receipt without records. After any error its outcome is unknown. */
  writeReceipt(receipt: Receipt): Promise<void>
  /**
   * Writes a record and this receipt, and aborts both. The abort also ends records that an earlier writer of this
   * partition left without a marker. Returns the record's offset. All has ended once the last stable offset is past it.
   */
  fence(receipt: Receipt): Promise<number>
  /** Closes the writer in any state. Never rejects. */
  discard(): Promise<void>
}

/** The records that would show whether a batch is in Kafka were deleted. Waiting does not help. */
export class RecordsGoneError extends Error {
  override name = 'RecordsGoneError'
}

/** What the relay's protocol needs of Kafka. */
export interface Kafka {
  /** Opens a partition's writer. When it resolves, older writers are fenced and their open transaction has ended. */
  openPublisher(partition: number): Promise<Publisher>
  /** What Kafka shows of each partition. */
  look(): Promise<Map<number, Sight>>
  /** The same, over connections of its own that begin with another broker. */
  lookAnew(): Promise<Map<number, Sight>>
  /**
   * What is read from now on is read over new connections that begin with another broker. A broker that the others have
   * lost, and that the relay still reaches, answers from an old state for ever, and without an error.
   */
  renew(): void
  countPartitions(): Promise<number>
  /** The offset after the partition's last record, committed or not. */
  readEndOffset(partition: number): Promise<number>
  /**
   * The offset of the batch's first record, if it is committed between the two offsets, which are below the last stable
   * offset.
   *
   * @throws RecordsGoneError if it is not found and records between the two offsets were deleted.
   */
  findBatch(partition: number, batchId: string, offsets: { from: number; to: number }): Promise<number | undefined>
  /** The offset of a committed record between the two offsets that is not of this batch. */
  findOtherRecord(
    partition: number,
    batchId: string,
    offsets: { from: number; to: number },
  ): Promise<number | undefined>
  close(): Promise<void>
}
