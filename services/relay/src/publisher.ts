import type { KafkaIdentity, Receipt } from '@streamledger/kafka'

export type { KafkaIdentity, Receipt } from '@streamledger/kafka'

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
  /** It has as many rows or bytes as it may have, so more rows may wait. */
  isFull?: boolean | undefined
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
  /** The Kafka that this writer is connected to, as it was when the writer was opened. */
  readonly identity: KafkaIdentity
  /**
   * Publishes a batch with its receipt in one Kafka transaction. `after` is the offset after the batch before. After any
   * error its outcome is unknown, except:
   *
   * @throws OffsetBehindError if the batch would begin before that offset; it is then not published.
   * @throws BatchRefusedError if Kafka refuses the batch; it is then not published.
   */
  publish(batch: Batch, after: number): Promise<Receipt>
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

/** The partition goes on before the end of what was confirmed. Waiting does not help. */
export class OffsetBehindError extends Error {
  override name = 'OffsetBehindError'
}

/** This is not the Kafka that has the events. The message says what to do; waiting does not help. */
export class OtherClusterError extends Error {
  override name = 'OtherClusterError'
}

/** Kafka refused the batch, so nothing of it is in the topic. The message names the setting to change. */
export class BatchRefusedError extends Error {
  override name = 'BatchRefusedError'
}

/** What the relay's protocol needs of Kafka. */
export interface Kafka {
  /** As it was last asked, by `identify` or for a writer; undefined: not yet. */
  readonly identity: KafkaIdentity | undefined
  /** Asks over a new connection to the configured brokers. */
  identify(): Promise<KafkaIdentity>
  /** Opens a partition's writer. When it resolves, older writers are fenced and their open transaction has ended. */
  openPublisher(partition: number): Promise<Publisher>
  /**
   * The broker that leads a partition, as far as is known. Partitions with different leaders are looked at separately,
   * so that a leader that does not answer delays no others.
   */
  leaderOf(partition: number): number
  /** What Kafka shows of these partitions. A partition that has no leader is left out. */
  look(partitions: readonly number[]): Promise<Map<number, Sight>>
  /** What Kafka shows of all partitions whose leaders answer, over connections of its own that begin with another broker. */
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
   * offset. Calls `progressed` after each part that it has read.
   *
   * @throws RecordsGoneError if it is not found and records between the two offsets were deleted.
   */
  findBatch(
    partition: number,
    batchId: string,
    offsets: { from: number; to: number },
    progressed: () => void,
  ): Promise<number | undefined>
  /** The offset of a committed record between the two offsets that is not of this batch. */
  findOtherRecord(
    partition: number,
    batchId: string,
    offsets: { from: number; to: number },
    progressed: () => void,
  ): Promise<number | undefined>
  close(): Promise<void>
}
