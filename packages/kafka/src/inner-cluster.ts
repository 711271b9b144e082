// kafkajs below its public interface: connections, metadata and decoders, without its admin client and its consumer
// (docs/decisions/0010 and 0011 say why). Written for the pinned version.
import type { IHeaders, Kafka } from 'kafkajs'
import { isolateIn } from './isolate-failures.ts'

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

interface FetchedPartition {
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
