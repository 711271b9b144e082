// kafkajs below its public interface: connections, metadata and decoders, without its admin's and its consumer's habits
// (docs/decisions/0010 and 0011). It holds for the version that is pinned.
import type { IHeaders, Kafka } from 'kafkajs'

/** The parts of kafkajs's inner cluster that are used; its types do not name them. */
export interface InnerCluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  /** Of a group, or of a transactional id where the type says so. */
  findGroupCoordinator(asked: { groupId: string; coordinatorType?: number }): Promise<InnerBroker & { nodeId: number }>
  findBroker(node: { nodeId: number }): Promise<InnerBroker>
}

export interface InnerBroker {
  offsetFetch(request: object): Promise<Answer<CommittedOffset>>
  listOffsets(request: object): Promise<Answer<{ partition: number; offset: string }>>
  fetch(request: object): Promise<Answer<FetchedPartition>>
}

interface Answer<Partition> {
  responses: { partitions: Partition[] }[]
}

interface CommittedOffset {
  partition: number
  /** -1: there is none. */
  offset: string
  metadata: string | null
}

interface FetchedPartition {
  lastStableOffset: string
  abortedTransactions: { producerId: string; firstOffset: string }[]
  messages: InnerMessage[]
}

/** A record as it lies in the log, whatever became of its transaction. */
export interface InnerMessage {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: IHeaders
  isControlRecord: boolean
  batchContext: { producerId: string; inTransaction: boolean }
}

/** How long kafkajs believes what it was told of partitions and leaders; after an error, whoever uses it asks anew. */
const METADATA_MAX_AGE_MS = 300_000

export function openInnerCluster(kafka: Kafka): InnerCluster {
  return findCreateCluster(kafka).create({ allowAutoTopicCreation: false, metadataMaxAge: METADATA_MAX_AGE_MS })
}

/** How this client, and whatever producer or consumer it makes, comes by a cluster. */
export function findCreateCluster(kafka: Kafka): {
  create: (options: object) => InnerCluster
  replace: (create: (options: object) => InnerCluster) => void
} {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description?.endsWith('createCluster'))
  if (!symbol) throw new Error('this kafkajs has no inner cluster: this was written for 2.2.4')
  const inner = kafka as unknown as Record<symbol, (options: object) => InnerCluster>
  return {
    create: inner[symbol] as (options: object) => InnerCluster,
    replace: (create) => {
      inner[symbol] = create
    },
  }
}
