// The CLI's only file that knows kafkajs. Its consumer is not good enough for an auditor: it starts again somewhere else,
// and says nothing, where an offset is out of range; it takes an answer that it could not decode for an empty one and goes
// on; it needs a group, whose join takes three seconds and whose rebalance begins at the beginning. Below the consumer,
// kafkajs speaks the protocol well. So this asks the cluster object of the pinned version directly, fetch by fetch.
import { type InnerBroker, type InnerCluster, type KafkaAccess, openInnerCluster } from '@streamledger/kafka'
import { Kafka, logLevel } from 'kafkajs'

export type FetchedPartition = Awaited<ReturnType<InnerBroker['fetch']>>['responses'][number]['partitions'][number]

const CONNECT_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 10_000
const READ_COMMITTED = 1
const FETCH_WAIT_MS = 500
/** What one answer may hold, and so a bound of memory; a single batch that is larger comes all the same. */
const FETCH_BYTES_MAX = 1024 * 1024
const RETRIES_WITHIN_KAFKAJS = 2

export const EARLIEST = -2
/** To a read_committed reader this is the last stable offset, and not the high watermark. */
export const LATEST = -1

export interface KafkaCluster {
  partitions(): number[]
  /** The offset of a time in ms, EARLIEST or LATEST; -1 where nothing is as late. */
  listOffset(partition: number, timestamp: number): Promise<number>
  fetch(partition: number, offset: number): Promise<FetchedPartition>
  /** After an error: who leads which partition now. */
  refresh(): Promise<void>
  close(): Promise<void>
}

export async function connectCluster(access: KafkaAccess, topic: string): Promise<KafkaCluster> {
  const cluster = createCluster(access)
  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
  } catch (error) {
    await cluster.disconnect().catch(() => {})
    throw error
  }
  const leaderOf = (partition: number): Promise<InnerBroker> => {
    const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
    if (!found) throw new Error(`topic ${topic} has no partition ${partition}`)
    return cluster.findBroker({ nodeId: found.leader })
  }
  return {
    partitions: () => cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId).sort((a, b) => a - b), // biome-ignore format: one line
    async listOffset(partition, timestamp) {
      const broker = await leaderOf(partition)
      const topics = [{ topic, partitions: [{ partition, timestamp: String(timestamp) }] }]
      const { responses } = await broker.listOffsets({ isolationLevel: READ_COMMITTED, topics })
      return Number(only(responses, partition).offset)
    },
    async fetch(partition, offset) {
      const broker = await leaderOf(partition)
      const { responses } = await broker.fetch({
        isolationLevel: READ_COMMITTED,
        maxWaitTime: FETCH_WAIT_MS,
        minBytes: 1,
        maxBytes: FETCH_BYTES_MAX,
        topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES_MAX }] }],
      })
      return only(responses, partition)
    },
    refresh: () => cluster.refreshMetadata(),
    close: () => cluster.disconnect(),
  }
}

function createCluster(access: KafkaAccess): InnerCluster {
  const kafka = new Kafka({
    ...access,
    clientId: 'streamledger-cli',
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: RETRIES_WITHIN_KAFKAJS, initialRetryTime: 100, maxRetryTime: 500 },
    logLevel: logLevel.NOTHING,
  })
  return openInnerCluster(kafka)
}

function only<Partition>(responses: { partitions: Partition[] }[], partition: number): Partition {
  const found = responses[0]?.partitions[0]
  if (!found) throw new Error(`no answer about partition ${partition}`)
  return found
}
