import type { EventRecord } from '../compare-events.ts'

/** A committed record, as a read_committed consumer sees it. */
export interface TopicRecord extends EventRecord {
  offset: number
}

/** What there is of a partition. */
export interface PartitionRange {
  partition: number
  /** The first offset that retention has left. */
  low: number
  /** One past the last record whose transaction is settled: the last stable offset. */
  end: number
}

/** One answer of the broker. */
export interface TopicChunk {
  records: TopicRecord[]
  /** Where the next one begins. */
  next: number
}

/** The topic, as far as a comparison needs it. */
export interface TopicLog {
  ranges(): Promise<PartitionRange[]>
  /** Per partition the first offset written at this moment or later; its end where there is none. */
  offsetsAt(instant: Date): Promise<ReadonlyMap<number, number>>
  /** When the record at an offset was written, whatever it holds. Undefined: there is none. */
  timeAt(partition: number, offset: number): Promise<Date | undefined>
  /** Reads one partition between two offsets, in order, every offset of them once. */
  read(partition: number, offsets: { from: number; to: number }): AsyncGenerator<TopicChunk>
  close(): Promise<void>
}
