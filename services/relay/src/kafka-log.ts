// Reads the topic below kafkajs's public interface (docs/decisions/0011, and 0010 for the same choice in the CLI). The
// admin client of kafkajs returns the last stable offset instead of the end of the log, and sends five requests where
// two are enough. Its consumer needs a group, and confuses aborted and committed records where two producers overlap.
import { type InnerCluster, type InnerMessage, type KafkaAccess, openInnerCluster } from '@streamledger/kafka'
import type { Logger } from '@streamledger/runtime'
import type { IHeaders } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { createKafkaClient, rotateBrokers } from './kafka-client.ts'

export interface CommittedOffset {
  partition: number
  /** -1: no offset is committed. */
  offset: string
  metadata: string | null
}

/** A record of the log, committed or not. */
export interface LogRecord {
  offset: number
  producerId: string
  headers: IHeaders
  /** Set only on a transaction marker, the control record that ends a transaction. */
  mark: 'commit' | 'abort' | undefined
}

export interface KafkaLog {
  /** Refreshes the metadata if this partition is not in it: the partition may be new. */
  include(partition: number): Promise<void>
  countPartitions(): Promise<number>
  /** The group's committed offsets for all partitions of the topic. */
  readOffsets(groupId: string): Promise<CommittedOffset[]>
  /** The end offset of each partition; for read_committed this is the last stable offset. */
  readEnds(reader: 'everyone' | 'read_committed'): Promise<Map<number, number>>
  /** The partition's first offset that is not deleted. */
  readStart(partition: number): Promise<number>
  /** Some records from this offset on; at least one if any exist. */
  fetch(partition: number, offset: number): Promise<LogRecord[]>
  /** What is asked from now on is asked over new connections. */
  renew(): void
  close(): Promise<void>
}

const ISOLATION = { everyone: 0, read_committed: 1 }
const LATEST = '-1'
const EARLIEST = '-2'
const FETCH_WAIT_MS = 500
/** Limit of one response; a single larger batch is still returned. */
const FETCH_BYTES_MAX = 1024 * 1024
/** The key of a marker is a version (int16), then its kind (int16). */
const MARK_KIND_AT = 2
const MARK_COMMIT = 1

interface Connection {
  cluster: InnerCluster
  /** Coordinator by group; kafkajs would look it up before each read. */
  coordinators: Map<string, number>
  close(): void
}

/** Connects on first use, and reconnects after each error: the connection may be dead, or a leader may have moved. */
export function createLog(
  { access, topic, stepTimeoutMs }: { access: KafkaAccess; topic: string; stepTimeoutMs: number },
  logger: Logger,
): KafkaLog {
  let current: Promise<Connection> | undefined
  const nextAccess = rotateBrokers(access)
  async function asking<T>(what: string, ask: (connection: Connection) => Promise<T>): Promise<T> {
    current ??= openConnection(nextAccess(), topic, logger, stepTimeoutMs)
    const connection = current
    try {
      return await withDeadline(what, stepTimeoutMs, connection.then(ask))
    } catch (error) {
      if (current === connection) current = undefined
      connection.then(({ close }) => close()).catch(() => {})
      throw error
    }
  }
  return {
    include: (partition) => asking('asking for the partition', (connection) => include(connection, topic, partition)),
    countPartitions: () => asking('counting partitions', (connection) => countPartitions(connection, topic)),
    readOffsets: (groupId) => asking('reading receipts', (connection) => readOffsets(connection, topic, groupId)),
    readEnds: (reader) =>
      asking('reading offsets', (connection) => listOffsets(connection, topic, ISOLATION[reader], LATEST)),
    readStart: (partition) => asking('reading a start', (connection) => readStart(connection, topic, partition)),
    fetch: (partition, offset) =>
      asking('fetching', (connection) => fetchRecords(connection, topic, partition, offset)),
    renew: () => {
      // What is under way is answered, or given up, within one step.
      current?.then(({ close }) => setTimeout(close, stepTimeoutMs).unref()).catch(() => {})
      current = undefined
    },
    close: async () => void (await current?.then(({ close }) => close()).catch(() => {})),
  }
}

async function openConnection(
  access: KafkaAccess,
  topic: string,
  logger: Logger,
  timeoutMs: number,
): Promise<Connection> {
  const { kafka, cutOff } = createKafkaClient(access, logger, timeoutMs)
  const cluster = openInnerCluster(kafka)
  const open = async (): Promise<void> => {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
  }
  try {
    await withDeadline('connecting to Kafka', timeoutMs, open())
  } catch (error) {
    cutOff()
    throw error
  }
  return { cluster, coordinators: new Map(), close: cutOff }
}

async function include({ cluster }: Connection, topic: string, partition: number): Promise<void> {
  const isKnown = () => cluster.findTopicPartitionMetadata(topic).some(({ partitionId }) => partitionId === partition)
  if (!isKnown()) await cluster.refreshMetadata()
  if (!isKnown()) throw new Error(`topic ${topic} has no partition ${partition}`)
}

async function countPartitions({ cluster }: Connection, topic: string): Promise<number> {
  await cluster.refreshMetadata()
  return cluster.findTopicPartitionMetadata(topic).length
}

async function readPartitions({ cluster }: Connection, topic: string) {
  await cluster.refreshMetadataIfNecessary()
  return cluster.findTopicPartitionMetadata(topic)
}

async function readOffsets(connection: Connection, topic: string, groupId: string): Promise<CommittedOffset[]> {
  const { cluster, coordinators } = connection
  const nodeId = coordinators.get(groupId) ?? (await cluster.findGroupCoordinator({ groupId })).nodeId
  coordinators.set(groupId, nodeId)
  const broker = await cluster.findBroker({ nodeId })
  const partitions = (await readPartitions(connection, topic)).map(({ partitionId }) => ({ partition: partitionId }))
  const { responses } = await broker.offsetFetch({ groupId, topics: [{ topic, partitions }] })
  return responses.flatMap((response) => response.partitions)
}

async function listOffsets(
  connection: Connection,
  topic: string,
  isolationLevel: number,
  timestamp: string,
): Promise<Map<number, number>> {
  const byLeader = Map.groupBy(await readPartitions(connection, topic), ({ leader }) => leader)
  const answers = await Promise.all(
    [...byLeader].map(async ([nodeId, led]) => {
      const partitions = led.map(({ partitionId }) => ({ partition: partitionId, timestamp }))
      const broker = await connection.cluster.findBroker({ nodeId })
      return broker.listOffsets({ isolationLevel, topics: [{ topic, partitions }] })
    }),
  )
  const found = answers.flatMap(({ responses }) => responses.flatMap((response) => response.partitions))
  return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
}

async function readStart(connection: Connection, topic: string, partition: number): Promise<number> {
  const start = (await listOffsets(connection, topic, ISOLATION.everyone, EARLIEST)).get(partition)
  if (start === undefined) throw new Error(`topic ${topic} has no partition ${partition}`)
  return start
}

async function fetchRecords(
  connection: Connection,
  topic: string,
  partition: number,
  offset: number,
): Promise<LogRecord[]> {
  const led = await readPartitions(connection, topic)
  const nodeId = led.find(({ partitionId }) => partitionId === partition)?.leader
  if (nodeId === undefined) throw new Error(`topic ${topic} has no partition ${partition}`)
  const broker = await connection.cluster.findBroker({ nodeId })
  const partitions = [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES_MAX }]
  const { responses } = await broker.fetch({
    isolationLevel: ISOLATION.everyone,
    ...{ maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES_MAX },
    topics: [{ topic, partitions }],
  })
  const messages = responses[0]?.partitions[0]?.messages ?? []
  // Kafka returns whole batches, including records before the requested offset.
  return messages.map(toLogRecord).filter((record) => record.offset >= offset)
}

function toLogRecord({ offset, key, headers, isControlRecord, batchContext }: InnerMessage): LogRecord {
  const kind = isControlRecord ? key?.readInt16BE(MARK_KIND_AT) : undefined
  const mark = isControlRecord ? (kind === MARK_COMMIT ? 'commit' : 'abort') : undefined
  return { offset: Number(offset), producerId: batchContext.producerId, headers, mark }
}
