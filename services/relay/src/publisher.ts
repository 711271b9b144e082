import type { Receipt } from '@streamledger/kafka'

export type { Receipt } from '@streamledger/kafka'

/** An outbox row as it is published. */
export interface OutboxRow {
  id: number
  key: string
  payload: string
  headers: Record<string, string>
}

/** The rows that go into one Kafka transaction, named in Postgres before Kafka hears of them. */
export interface Batch {
  seq: number
  batchId: string
  rows: OutboxRow[]
  /** Of its first written row, when the batch was named; undefined: empty, or found open. */
  oldestAgeMs?: number | undefined
}

/** What Kafka shows of a partition. */
export interface Sight {
  /** Undefined: there is none. One that can't be parsed comes as its text. */
  receipt: Receipt | string | undefined
  /** The last stable offset: consumers read up to here. It is the first of a transaction that is open or hangs, or the end. */
  stable: number
}

/** One partition's writer. Opening one fences whoever wrote before, so there is one that counts at any time. */
export interface Publisher {
  /** Publishes a batch with its receipt in one Kafka transaction. After any error its outcome is unknown. */
  publish(batch: Batch): Promise<Receipt>
  /** Writes a receipt by itself. After any error its outcome is unknown. */
  writeReceipt(receipt: Receipt): Promise<void>
  /**
   * Writes a record and this receipt, and aborts both: the abort ends whatever an earlier writer of this partition has
   * left hanging before it. Returns the record's offset; the end is settled when the last stable offset has passed it.
   */
  fence(receipt: Receipt): Promise<number>
  /** Lets go of it, whatever state it is in. Never rejects. */
  discard(): Promise<void>
}

/** What would show whether a batch is in Kafka is not there any more: nothing that is waited for will bring it back. */
export class RecordsGoneError extends Error {
  override name = 'RecordsGoneError'
}

/** Kafka, as far as the relay's protocol needs it. */
export interface Kafka {
  /** Opens a partition's writer: older ones are fenced and their open transaction is settled when this resolves. */
  openPublisher(partition: number): Promise<Publisher>
  /** What Kafka shows of every partition. */
  look(): Promise<Map<number, Sight>>
  /** How many partitions the topic has now. */
  countPartitions(): Promise<number>
  /** One past the partition's last record, whatever became of its transaction. */
  readEndOffset(partition: number): Promise<number>
  /**
   * The offset of the batch's first record, if it lies committed between the two offsets, below the last stable one.
   *
   * @throws RecordsGoneError if it is not in what is left of them, and some of them have been deleted.
   */
  findBatch(partition: number, batchId: string, offsets: { from: number; to: number }): Promise<number | undefined>
  close(): Promise<void>
}
