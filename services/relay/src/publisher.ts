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
}

/** What Kafka itself remembers of a partition's last batch: written inside the batch's transaction. */
export interface Receipt {
  seq: number
  batchId: string
  /** The offset after the batch's last record: the next batch begins here, or one later, after a control record. */
  offset: number
}

/** One partition's writer. Opening one fences whoever wrote before, so there is one that counts at any time. */
export interface Publisher {
  /** Publishes a batch with its receipt in one Kafka transaction. After any error its outcome is unknown. */
  publish(batch: Batch): Promise<Receipt>
  /** Writes a receipt by itself, at the partition's end: the first one, or one that is about to expire. */
  writeReceipt(seq: number): Promise<Receipt>
  /** Lets go of it, whatever state it is in. Never rejects. */
  discard(): Promise<void>
}

/** Kafka, as far as the relay's protocol needs it. */
export interface Kafka {
  /** Opens a partition's writer: older ones are fenced and their open transaction is settled when this resolves. */
  openPublisher(partition: number): Promise<Publisher>
  /** Undefined: there is none. A receipt that can't be parsed comes back as its text. */
  readReceipt(partition: number): Promise<Receipt | string | undefined>
  /** One past the partition's last stable record: the first of a transaction that is still open, if there is one. */
  readEndOffset(partition: number): Promise<number>
  /** Whether a committed record of the batch lies between the two offsets. */
  containsBatch(partition: number, batchId: string, offsets: { from: number; to: number }): Promise<boolean>
  close(): Promise<void>
}
