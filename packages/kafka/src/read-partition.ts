// What every reader of the topic asks a broker, below kafkajs's public interface: docs/decisions/0010 and 0011 say why.
import type { FetchedPartition, InnerBroker, InnerCluster, InnerMessage } from './inner-cluster.ts'

/** `everyone` also sees records whose transaction is open or aborted. */
export type Reader = keyof typeof ISOLATION

const ISOLATION = { everyone: 0, read_committed: 1 }
/** Instead of a time: the first offset that is not deleted. */
export const EARLIEST = -2
/** Instead of a time: the end. For `read_committed` it is the last stable offset. */
export const LATEST = -1
const FETCH_WAIT_MS = 500
/** Bounds a response, and so the memory. A single larger batch is still returned. */
const FETCH_BYTES_MAX = 1024 * 1024
/** The key of a transaction marker is a version (int16), then its kind (int16). */
const MARK_KIND_AT = 2
const MARK_COMMIT = 1

/** The broker that leads the partition, as far as the cluster knows. */
export function findLeader(cluster: InnerCluster, topic: string, partition: number): Promise<InnerBroker> {
  const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
  if (!found) throw new Error(`topic ${topic} has no partition ${partition}`)
  if (found.leader < 0) throw new Error(`partition ${partition} of topic ${topic} has no leader`)
  return cluster.findBroker({ nodeId: found.leader })
}

/**
 * The offset of each partition for a time in ms, EARLIEST or LATEST; -1 if no record is that late. A partition that the
 * broker does not lead is left out.
 */
export async function listOffsets(
  broker: InnerBroker,
  { topic, partitions }: { topic: string; partitions: readonly number[] },
  { reader, timestamp }: { reader: Reader; timestamp: number },
): Promise<Map<number, number>> {
  const asked = partitions.map((partition) => ({ partition, timestamp: String(timestamp) }))
  const topics = [{ topic, partitions: asked }]
  const { responses } = await broker.listOffsets({ isolationLevel: ISOLATION[reader], topics })
  const answered = responses.flatMap((response) => response.partitions)
  return new Map(answered.map(({ partition, offset }) => [partition, Number(offset)]))
}

/** Some records from the offset on, whole batches, so that the first may be before it. */
export async function fetchPartition(
  broker: InnerBroker,
  { topic, partition, offset }: { topic: string; partition: number; offset: number },
  reader: Reader,
): Promise<FetchedPartition> {
  const partitions = [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES_MAX }]
  const { responses } = await broker.fetch({
    isolationLevel: ISOLATION[reader],
    ...{ maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES_MAX },
    topics: [{ topic, partitions }],
  })
  const fetched = responses[0]?.partitions[0]
  if (!fetched) throw new Error(`the response does not contain partition ${partition}`)
  return fetched
}

/** How a transaction marker ends its transaction; undefined for a record. */
export function markOf({ isControlRecord, key }: InnerMessage): 'commit' | 'abort' | undefined {
  if (!isControlRecord) return undefined
  return key?.readInt16BE(MARK_KIND_AT) === MARK_COMMIT ? 'commit' : 'abort'
}
