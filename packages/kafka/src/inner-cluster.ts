// kafkajs below its public interface: connections, metadata and decoders, without its admin client and its consumer
// (docs/decisions/0010 and 0011 say why). Written for the pinned version.
import { createRequire } from 'node:module'
import type { IHeaders, Kafka } from 'kafkajs'

/** The parts of kafkajs's inner cluster that are used; they are not in its types. */
export interface InnerCluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  /** The coordinator of a group, or of a transactional id if `coordinatorType` says so. */
  findGroupCoordinator(asked: { groupId: string; coordinatorType?: number }): Promise<InnerBroker & { nodeId: number }>
  findBroker(node: { nodeId: number }): Promise<InnerBroker>
  /** Before the first metadata it has only the broker of the bootstrap address. */
  brokerPool: { findConnectedBroker(): Promise<InnerBroker> }
}

export interface InnerBroker {
  offsetFetch(request: object): Promise<Answer<CommittedOffset>>
  listOffsets(request: object): Promise<Answer<{ partition: number; offset: string }>>
  fetch(request: object): Promise<Answer<FetchedPartition>>
  /** For requests that kafkajs does not have. */
  connectionPool: { send(exchange: { request: object; response: unknown }): Promise<unknown> }
}

interface Answer<Partition> {
  responses: { partitions: Partition[] }[]
}

interface CommittedOffset {
  partition: number
  /** -1: no offset is committed. */
  offset: string
  metadata: string | null
}

export interface FetchedPartition {
  lastStableOffset: string
  abortedTransactions: { producerId: string; firstOffset: string }[]
  messages: InnerMessage[]
}

/** A record of the log, committed or not. */
export interface InnerMessage {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: IHeaders
  isControlRecord: boolean
  batchContext: { producerId: string; inTransaction: boolean }
}

/** How long kafkajs caches partitions and leaders. After an error its users refresh them. */
const METADATA_MAX_AGE_MS = 300_000

export function openInnerCluster(kafka: Kafka): InnerCluster {
  const { create } = findCreateCluster(kafka)
  return isolateIn(create({ allowAutoTopicCreation: false, metadataMaxAge: METADATA_MAX_AGE_MS }))
}

/** Isolates failures in the clusters of this client's producers, consumers and admin clients, too. */
export function isolateFailures(kafka: Kafka): void {
  const { create, replace } = findCreateCluster(kafka)
  replace((options) => isolateIn(create(options)))
}

/** Finds the function with which this client, and its producers and consumers, create a cluster. */
export function findCreateCluster(kafka: Kafka): {
  create: (options: object) => InnerCluster
  replace: (create: (options: object) => InnerCluster) => void
} {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description?.endsWith('createCluster'))
  if (!symbol)
    throw new Error(
      'this version of kafkajs has different internals: no inner cluster found; this code was written for 2.2.4',
    )
  const inner = kafka as unknown as Record<symbol, (options: object) => InnerCluster>
  return {
    create: inner[symbol] as (options: object) => InnerCluster,
    replace: (create) => {
      inner[symbol] = create
    },
  }
}

/** The parts of kafkajs's cluster, broker pool and connections that are replaced. */
interface PooledCluster {
  brokerPool: BrokerPool
  connectionPoolBuilder: { build(destination?: object): Promise<{ send(exchange: Exchange): Promise<unknown> }> }
}

interface BrokerPool {
  brokers: Record<string, { isConnected(): boolean }>
  findBroker(node: { nodeId: string }): Promise<InnerBroker>
  withBroker<T>(use: (found: { nodeId: string; broker: InnerBroker }) => Promise<T>): Promise<T | null>
}

interface Exchange {
  request: { apiName: string }
  response: { decode(raw: Buffer): Promise<object>; parse(decoded: object): Promise<object> }
}

interface Metadata {
  topicMetadata: { topicErrorCode: number; partitionMetadata: unknown[] }[]
}

interface Offsets {
  responses: { partitions: { errorCode: number }[] }[]
}

const { failure, createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error.js') as {
  failure(code: number): boolean
  createErrorFromCode(code: number): Error
}

/** By the name that kafkajs gives the request. */
const PARSE: Record<string, (decoded: object) => Promise<object>> = {
  Metadata: async (decoded) => checkTopics(decoded as Metadata),
  ListOffsets: async (decoded) => dropFailed(decoded as Offsets),
}

/**
 * Makes an error of one partition or broker count for that one alone. kafkajs fails a whole request for metadata or
 * offsets if one partition has an error, for example no leader. And it fails the search for a coordinator if the first
 * broker that it happens to choose cannot be reached.
 */
export function isolateIn(cluster: InnerCluster): InnerCluster {
  const { brokerPool, connectionPoolBuilder } = cluster as unknown as PooledCluster
  const build = connectionPoolBuilder.build
  connectionPoolBuilder.build = async (destination) => {
    const connections = await build(destination)
    const send = connections.send.bind(connections)
    return Object.assign(connections, {
      send: ({ request, response }: Exchange) => {
        const parse = PARSE[request.apiName] ?? response.parse
        return send({ request, response: { ...response, parse } })
      },
    })
  }
  brokerPool.withBroker = (use) => askAny(brokerPool, use)
  return cluster
}

/** Asks the brokers one after the other until one answers, those that are connected first. */
async function askAny<T>(
  pool: BrokerPool,
  use: (found: { nodeId: string; broker: InnerBroker }) => Promise<T>,
): Promise<T | null> {
  const ids = Object.keys(pool.brokers)
  const isConnected = (nodeId: string) => pool.brokers[nodeId]?.isConnected() === true
  let failed: unknown
  for (const nodeId of [...ids.filter(isConnected), ...ids.filter((id) => !isConnected(id))]) {
    try {
      const broker = await pool.findBroker({ nodeId })
      return await use({ nodeId, broker })
    } catch (error) {
      failed = error
    }
  }
  if (failed) throw failed
  return null
}

/** A partition with an error keeps its place in the list: a partition that has no leader has leader -1. */
function checkTopics(metadata: Metadata): Metadata {
  const failed = metadata.topicMetadata.find(({ topicErrorCode }) => failure(topicErrorCode))
  if (failed) throw createErrorFromCode(failed.topicErrorCode)
  return metadata
}

/** Leaves out partitions with an error, unless that is all of them. */
function dropFailed(offsets: Offsets): Offsets {
  const all = offsets.responses.flatMap(({ partitions }) => partitions)
  const failed = all.filter(({ errorCode }) => failure(errorCode))
  if (failed[0] && failed.length === all.length) throw createErrorFromCode(failed[0].errorCode)
  const responses = offsets.responses.map((response) => ({
    ...response,
    partitions: response.partitions.filter(({ errorCode }) => !failure(errorCode)),
  }))
  return { ...offsets, responses }
}
