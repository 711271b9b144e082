import { createRequire } from 'node:module'
import type { InnerBroker, InnerCluster } from './inner-cluster.ts'

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
