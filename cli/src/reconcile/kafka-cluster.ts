// Reads the topic through the cluster object of the pinned kafkajs, fetch by fetch. The consumer of kafkajs is not good
// enough for an audit: if an offset is out of range, it silently continues somewhere else; it treats a response that it
// cannot decode as an empty one; and it needs a group, whose join takes three seconds and whose rebalance starts over.
// The layers below the consumer implement the protocol well.
import {
  createKafka,
  type FetchedPartition,
  fetchPartition,
  findLeader,
  type InnerCluster,
  type KafkaAccess,
  type KafkaIdentity,
  listOffsets,
  openInnerCluster,
  readIdentity,
} from '@streamledger/kafka'
import { logLevel } from 'kafkajs'

const CONNECT_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 10_000
const RETRIES_WITHIN_KAFKAJS = 2

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

/** `turn`: begins with this broker of the list, counted around. kafkajs asks the first one for all others. */
export async function connectCluster(access: KafkaAccess, topic: string, turn: number): Promise<KafkaCluster> {
  const { brokers } = access
  const first = turn % brokers.length
  const cluster = createCluster({ ...access, brokers: [...brokers.slice(first), ...brokers.slice(0, first)] })
  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
  } catch (error) {
    await cluster.disconnect().catch(() => {})
    throw error
  }
  const leaderOf = (partition: number) => findLeader(cluster, topic, partition)
  return {
    identity: () => readIdentity(cluster, topic),
    partitions: () => cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId).sort((a, b) => a - b), // biome-ignore format: one line
    async listOffset(partition, timestamp) {
      const asked = { topic, partitions: [partition] }
      const found = await listOffsets(await leaderOf(partition), asked, { reader: 'read_committed', timestamp })
      const offset = found.get(partition)
      if (offset === undefined) throw new Error(`the response does not contain partition ${partition}`)
      return offset
    },
    fetch: async (partition, offset) =>
      fetchPartition(await leaderOf(partition), { topic, partition, offset }, 'read_committed'),
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
