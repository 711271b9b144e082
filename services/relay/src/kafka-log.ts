// Reads the topic below kafkajs's public interface (docs/decisions/0011, and 0010 for the same choice in the CLI). The
// admin client of kafkajs returns the last stable offset instead of the end of the log, and sends five requests where
// two are enough. Its consumer needs a group, and confuses aborted and committed records where two producers overlap.
import {
  EARLIEST,
  fetchPartition,
  type InnerCluster,
  type InnerMessage,
  type KafkaAccess,
  LATEST,
  listOffsets,
  markOf,
  openInnerCluster,
  type Reader,
} from '@streamledger/kafka'
import { type Logger, sleep } from '@streamledger/runtime'
import type { IHeaders } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { createKafkaClient } from './kafka-client.ts'

interface CommittedOffset {
  partition: number
  /** -1: no offset is committed. */
  offset: string
  metadata: string | null
}

/** A record of the log, committed or not. */
export interface LogRecord {
  offset: number
  producerId: string
  /** Whether it was written in a transaction. */
  inTransaction: boolean
  headers: IHeaders
  /** Set only on a transaction marker, the control record that ends a transaction. */
  mark: 'commit' | 'abort' | undefined
}

export interface KafkaLog {
  /** Rejects if the topic has no such partition. Asks for the partitions if this one is unknown: it may be new. */
  include(partition: number): Promise<void>
  countPartitions(): Promise<number>
  /** The broker that leads the partition, as far as is known, or NO_LEADER. */
  leaderOf(partition: number): number
  /** The group's committed offsets of these partitions. */
  readOffsets(groupId: string, partitions: readonly number[]): Promise<CommittedOffset[]>
  /**
   * The end offset of each partition; for read_committed this is the last stable offset. A partition whose leader does
   * not lead it, or that has none, is left out.
   */
  readEnds(reader: Reader, partitions: readonly number[]): Promise<Map<number, number>>
  /** The partition's first offset that is not deleted. */
  readStart(partition: number): Promise<number>
  /** Some records from this offset on; at least one if any exist. */
  fetch(partition: number, offset: number): Promise<LogRecord[]>
  /** What is asked from now on is asked over new connections. */
  renew(): void
  close(): Promise<void>
}

const NO_LEADER = -1
/** Least time between two questions for the leaders. */
const LEADERS_INTERVAL_MS = 250

interface Connection {
  cluster: InnerCluster
  /** Coordinator by group; kafkajs would look it up before each read. */
  coordinators: Map<string, number>
  close(): void
}

export interface LogOptions {
  access: KafkaAccess
  topic: string
  stepTimeoutMs: number
  /** The broker of the list that it begins with; after each error it goes on to the next. */
  turn?: number
}

/**
 * Has one connection for each leader, and one that asks for the leaders. So a leader that does not answer stops only the
 * partitions that it leads.
 */
export function createLog(options: LogOptions, logger: Logger): KafkaLog {
  const { topic } = options
  const { asking, renew, close } = keepConnections(options, logger, () => findLeadersSoon())
  let leaders: ReadonlyMap<number, number> = new Map()
  let finding: Promise<void> | undefined

  /** Concurrent callers share one answer. */
  function findLeaders(what = 'asking for the leaders'): Promise<void> {
    finding ??= asking(NO_LEADER, what, async ({ cluster }) => {
      await cluster.refreshMetadata()
      const found = cluster.findTopicPartitionMetadata(topic)
      leaders = new Map(found.map(({ partitionId, leader }) => [partitionId, leader]))
    }).finally(() => {
      finding = undefined
    })
    return finding
  }

  let isDue = false
  function findLeadersSoon(): void {
    if (isDue) return
    isDue = true
    sleep(LEADERS_INTERVAL_MS)
      .then(() => findLeaders())
      .catch(() => {}) // the next question fails, too, and asks again
      .finally(() => {
        isDue = false
      })
  }

  const leaderOf = (partition: number): number => leaders.get(partition) ?? NO_LEADER

  async function include(partition: number): Promise<void> {
    if (!leaders.has(partition)) await findLeaders('asking for the partition')
    if (!leaders.has(partition)) throw new Error(`topic ${topic} has no partition ${partition}`)
  }

  async function readEnds(partitions: readonly number[], at: { reader: Reader; timestamp: number }) {
    for (const partition of partitions) await include(partition)
    const led = [...Map.groupBy(partitions, leaderOf)].filter(([leader]) => leader !== NO_LEADER)
    const answers = await Promise.all(
      led.map(([leader, asked]) =>
        asking(leader, 'reading offsets', async ({ cluster }) => {
          const broker = await cluster.findBroker({ nodeId: leader })
          return listOffsets(broker, { topic, partitions: asked }, at)
        }),
      ),
    )
    const found = new Map(answers.flatMap((ends) => [...ends]))
    if (found.size < partitions.length) findLeadersSoon()
    return found
  }

  return {
    include,
    async countPartitions() {
      await findLeaders('counting partitions')
      return leaders.size
    },
    leaderOf,
    async readOffsets(groupId, partitions) {
      const leader = leaderOf(partitions[0] ?? NO_LEADER)
      return asking(leader, 'reading receipts', (connection) => readOffsets(connection, topic, groupId, partitions))
    },
    readEnds: (reader, partitions) => readEnds(partitions, { reader, timestamp: LATEST }),
    async readStart(partition) {
      const start = (await readEnds([partition], { reader: 'everyone', timestamp: EARLIEST })).get(partition)
      if (start === undefined) throw new Error(`partition ${partition} of topic ${topic} has no leader`)
      return start
    },
    async fetch(partition, offset) {
      await include(partition)
      const leader = leaderOf(partition)
      if (leader === NO_LEADER) {
        findLeadersSoon()
        throw new Error(`partition ${partition} of topic ${topic} has no leader`)
      }
      const { messages } = await asking(leader, 'fetching', async ({ cluster }) =>
        fetchPartition(await cluster.findBroker({ nodeId: leader }), { topic, partition, offset }, 'everyone'),
      )
      return messages.map(toLogRecord).filter((record) => record.offset >= offset)
    },
    renew,
    close,
  }
}

/**
 * Connects to a leader on first use, and again after each error: the connection may be dead, or the leader may have
 * moved.
 */
function keepConnections(options: LogOptions, logger: Logger, onError: () => void) {
  const { stepTimeoutMs } = options
  const connections = new Map<number, Promise<Connection>>()
  // All connections begin with the same broker until one fails: else an even number of them would come back to it.
  let turn = options.turn ?? 0
  let isClosed = false
  return {
    async asking<T>(leader: number, what: string, ask: (connection: Connection) => Promise<T>): Promise<T> {
      if (isClosed) throw new Error('the log is closed')
      const connection = connections.get(leader) ?? openConnection(options, logger, turn)
      connections.set(leader, connection)
      try {
        return await withDeadline(what, stepTimeoutMs, connection.then(ask))
      } catch (error) {
        if (connections.get(leader) === connection) {
          connections.delete(leader)
          turn += 1
        }
        connection.then(({ close }) => close()).catch(() => {})
        if (leader !== NO_LEADER) onError()
        throw error
      }
    },
    renew(): void {
      // What is under way is answered, or given up, within one step.
      for (const connection of connections.values())
        connection.then(({ close }) => setTimeout(close, stepTimeoutMs).unref()).catch(() => {})
      connections.clear()
      turn += 1
    },
    async close(): Promise<void> {
      isClosed = true
      const closing = [...connections.values()].map((connection) => connection.then(({ close }) => close()))
      await Promise.allSettled(closing)
    },
  }
}

async function openConnection(options: LogOptions, logger: Logger, turn: number): Promise<Connection> {
  const { access, topic, stepTimeoutMs } = options
  const { kafka, cutOff } = createKafkaClient(access, logger, stepTimeoutMs, turn)
  const cluster = openInnerCluster(kafka)
  const open = async (): Promise<void> => {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
  }
  try {
    await withDeadline('connecting to Kafka', stepTimeoutMs, open())
  } catch (error) {
    cutOff()
    throw error
  }
  return { cluster, coordinators: new Map(), close: cutOff }
}

async function readOffsets(
  { cluster, coordinators }: Connection,
  topic: string,
  groupId: string,
  partitions: readonly number[],
): Promise<CommittedOffset[]> {
  const nodeId = coordinators.get(groupId) ?? (await cluster.findGroupCoordinator({ groupId })).nodeId
  coordinators.set(groupId, nodeId)
  const broker = await cluster.findBroker({ nodeId })
  const topics = [{ topic, partitions: partitions.map((partition) => ({ partition })) }]
  const { responses } = await broker.offsetFetch({ groupId, topics })
  return responses.flatMap((response) => response.partitions)
}

function toLogRecord(message: InnerMessage): LogRecord {
  const { offset, headers, batchContext } = message
  const { producerId, inTransaction } = batchContext
  return { offset: Number(offset), producerId, inTransaction, headers, mark: markOf(message) }
}
