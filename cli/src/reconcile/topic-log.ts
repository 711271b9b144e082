import type { KafkaIdentity } from '@streamledger/kafka'
import type { EventRecord } from '../compare-events.ts'

/** A committed record, as a read_committed consumer sees it. */
export interface TopicRecord extends EventRecord {
  offset: number
}

/** The range of offsets of a partition. */
export interface PartitionRange {
  partition: number
  /** The first offset that retention has not removed. */
  low: number
  /** One past the last record whose transaction is settled: the last stable offset. */
  end: number
}

/** One response of the broker. */
export interface TopicChunk {
  records: TopicRecord[]
  /** The first offset of the next chunk. */
  next: number
}

/** The parts of a topic that a comparison reads. */
export interface TopicLog {
  /** Which Kafka this is, and which topic. */
  identity(): Promise<KafkaIdentity>
  /** All that there are, also those without a leader. */
  partitions(): number[]
  /** Of these partitions, or of all: fails while one of them has no leader. */
  ranges(partitions?: ReadonlySet<number>): Promise<PartitionRange[]>
  /** Of one partition: depends on its leader alone. */
  range(partition: number): Promise<PartitionRange>
  /** Per partition the first offset written at this time or later; the end of the partition if there is none. */
  offsetsAt(instant: Date, partitions: ReadonlySet<number>): Promise<ReadonlyMap<number, number>>
  /** When the record at an offset was written. Undefined if there is no record. */
  timeAt(partition: number, offset: number): Promise<Date | undefined>
  /** Reads one partition between two offsets, in order, each offset once. */
  read(partition: number, offsets: { from: number; to: number }): AsyncGenerator<TopicChunk>
  /**
   * What is read from now on is read over new connections that begin with the next broker, if it can be reached. A broker that
   * the others have lost, and that can still be reached, answers from an old state for ever, and without an error.
   */
  renew(): Promise<void>
  close(): Promise<void>
}
