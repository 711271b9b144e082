// Reads the topic below kafkajs's public interface (docs/decisions/0011, and 0010 for the same choice in the CLI). Its
// admin asks for the last stable offset where the log's end is meant, and takes five requests for what needs two; its
// consumer needs a group, and tells aborted records from committed ones wrongly where two producers overlap.
import { type InnerMessage, openInnerCluster } from '@streamledger/kafka'
import type { Logger } from '@streamledger/runtime'
import type { IHeaders } from 'kafkajs'
import { createKafkaClient } from './kafka-client.ts'

export interface CommittedOffset {
  partition: number
  /** -1: there is none. */
  offset: string
  metadata: string | null
}

/** A record as it lies in the log, whatever became of its transaction. */
export interface LogRecord {
  offset: number
  producerId: string
  headers: IHeaders
  /** Of the mark that ends a transaction: how it ended. */
  mark: 'commit' | 'abort' | undefined
}

export interface KafkaLog {
  /** Makes sure that a partition is among those that are read: one that was added lately may not be known yet. */
  include(partition: number): Promise<void>
  countPartitions(): Promise<number>
  /** The group's offsets, of every partition of the topic. */
  readOffsets(groupId: string): Promise<CommittedOffset[]>
  /** Where each partition ends: for everyone, or for a read_committed reader, which is the last stable offset. */
  readEnds(reader: 'everyone' | 'read_committed'): Promise<Map<number, number>>
  /** The partition's first offset: what was before it has been deleted. */
  readStart(partition: number): Promise<number>
  /** Some records from this offset on: at least one where there are any. */
  fetch(partition: number, offset: number): Promise<LogRecord[]>
  close(): Promise<void>
}

const ISOLATION = { everyone: 0, read_committed: 1 }
const LATEST = '-1'
const EARLIEST = '-2'
const FETCH_WAIT_MS = 500
/** What one answer may hold; a single batch that is larger comes all the same. */
const FETCH_BYTES_MAX = 1024 * 1024
/** A mark's key is a version and then its kind. */
const MARK_KIND_AT = 2
const MARK_COMMIT = 1

export async function connectLog(
  { brokers, topic }: { brokers: string[]; topic: string },
  logger: Logger,
  requestTimeoutMs: number,
): Promise<KafkaLog> {
  const cluster = openInnerCluster(createKafkaClient(brokers, logger, requestTimeoutMs))
  /** Asked for once: kafkajs would ask before each reading. */
  let coordinator: number | undefined
  /** After an error, whoever leads or coordinates may be another one. */
  async function asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      coordinator = undefined
      await cluster.refreshMetadata().catch(() => {})
      throw error
    }
  }
  const readPartitions = async () => {
    await cluster.refreshMetadataIfNecessary()
    return cluster.findTopicPartitionMetadata(topic)
  }

  async function include(partition: number): Promise<void> {
    const isKnown = () => cluster.findTopicPartitionMetadata(topic).some(({ partitionId }) => partitionId === partition)
    if (!isKnown()) await cluster.refreshMetadata()
    if (!isKnown()) throw new Error(`topic ${topic} has no partition ${partition}`)
  }

  async function countPartitions(): Promise<number> {
    await cluster.refreshMetadata()
    return cluster.findTopicPartitionMetadata(topic).length
  }

  async function readOffsets(groupId: string): Promise<CommittedOffset[]> {
    coordinator ??= (await cluster.findGroupCoordinator({ groupId })).nodeId
    const broker = await cluster.findBroker({ nodeId: coordinator })
    const partitions = (await readPartitions()).map(({ partitionId }) => ({ partition: partitionId }))
    const { responses } = await broker.offsetFetch({ groupId, topics: [{ topic, partitions }] })
    return responses.flatMap((response) => response.partitions)
  }

  async function listOffsets(isolationLevel: number, timestamp: string): Promise<Map<number, number>> {
    const byLeader = Map.groupBy(await readPartitions(), ({ leader }) => leader)
    const answers = await Promise.all(
      [...byLeader].map(async ([nodeId, led]) => {
        const partitions = led.map(({ partitionId }) => ({ partition: partitionId, timestamp }))
        const broker = await cluster.findBroker({ nodeId })
        return broker.listOffsets({ isolationLevel, topics: [{ topic, partitions }] })
      }),
    )
    const found = answers.flatMap(({ responses }) => responses.flatMap((response) => response.partitions))
    return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
  }

  async function readStart(partition: number): Promise<number> {
    const start = (await listOffsets(ISOLATION.everyone, EARLIEST)).get(partition)
    if (start === undefined) throw new Error(`topic ${topic} has no partition ${partition}`)
    return start
  }

  async function fetch(partition: number, offset: number): Promise<LogRecord[]> {
    const nodeId = (await readPartitions()).find(({ partitionId }) => partitionId === partition)?.leader
    if (nodeId === undefined) throw new Error(`topic ${topic} has no partition ${partition}`)
    const broker = await cluster.findBroker({ nodeId })
    const partitions = [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES_MAX }]
    const { responses } = await broker.fetch({
      isolationLevel: ISOLATION.everyone,
      ...{ maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES_MAX },
      topics: [{ topic, partitions }],
    })
    const messages = responses[0]?.partitions[0]?.messages ?? []
    // A batch comes as a whole, also with what lies before the offset that was asked for.
    return messages.map(toLogRecord).filter((record) => record.offset >= offset)
  }

  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
  } catch (error) {
    await cluster.disconnect().catch(() => {})
    throw error
  }
  return {
    include: (partition) => asking(() => include(partition)),
    countPartitions: () => asking(countPartitions),
    readOffsets: (groupId) => asking(() => readOffsets(groupId)),
    readEnds: (reader) => asking(() => listOffsets(ISOLATION[reader], LATEST)),
    readStart: (partition) => asking(() => readStart(partition)),
    fetch: (partition, offset) => asking(() => fetch(partition, offset)),
    close: () => cluster.disconnect(),
  }
}

function toLogRecord({ offset, key, headers, isControlRecord, batchContext }: InnerMessage): LogRecord {
  const kind = isControlRecord ? key?.readInt16BE(MARK_KIND_AT) : undefined
  const mark = isControlRecord ? (kind === MARK_COMMIT ? 'commit' : 'abort') : undefined
  return { offset: Number(offset), producerId: batchContext.producerId, headers, mark }
}
