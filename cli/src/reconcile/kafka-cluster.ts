// Reads the topic through the cluster object of the pinned kafkajs, fetch by fetch. The consumer of kafkajs is not good
// enough for an audit: if an offset is out of range, it silently continues somewhere else; it treats a response that it
// cannot decode as an empty one; and it needs a group, whose join takes three seconds and whose rebalance starts over.
// The layers below the consumer implement the protocol well.
import {
  createKafka,
  type InnerBroker,
  type InnerCluster,
  type KafkaAccess,
  type KafkaIdentity,
  openInnerCluster,
  readIdentity,
} from '@streamledger/kafka'
import { logLevel } from 'kafkajs'

export type FetchedPartition = Awaited<ReturnType<InnerBroker['fetch']>>['responses'][number]['partitions'][number]

const CONNECT_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 10_000
const READ_COMMITTED = 1
const FETCH_WAIT_MS = 500
/** Bounds the size of a response, and so the memory. A single larger batch is still returned. */
const FETCH_BYTES_MAX = 1024 * 1024
const RETRIES_WITHIN_KAFKAJS = 2

export const EARLIEST = -2
/** For a read_committed reader this is the last stable offset, not the high watermark. */
export const LATEST = -1

export interface KafkaCluster {
  identity(): Promise<KafkaIdentity>
  partitions(): number[]
  /** The offset for a time in ms, EARLIEST or LATEST; -1 if no record is that late. */
  listOffset(partition: number, timestamp: number): Promise<number>
  fetch(partition: number, offset: number): Promise<FetchedPartition>
  /** After an error: finds the current leaders of the partitions. */
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
    if (found.leader < 0) throw new Error(`partition ${partition} of topic ${topic} has no leader`)
    return cluster.findBroker({ nodeId: found.leader })
  }
  return {
    identity: () => readIdentity(cluster, topic),
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
  const kafka = createKafka({
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
  if (!found) throw new Error(`the response does not contain partition ${partition}`)
  return found
}
