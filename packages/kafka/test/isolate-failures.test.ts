import { expect, test } from 'vitest'
import type { InnerBroker, InnerCluster } from '../src/inner-cluster.ts'
import { isolateIn } from '../src/inner-cluster.ts'

const LIST_OFFSETS = 'ListOffsets'
const METADATA = 'Metadata'
const NO_LEADER = { partitionErrorCode: 5, partitionId: 0, leader: -1 }
const LED = { partitionErrorCode: 0, partitionId: 1, leader: 1 }

/** Parses a decoded answer as a connection of an isolated cluster does. */
async function parse(apiName: string, decoded: object): Promise<object> {
  const response = {
    decode: async () => decoded,
    parse: (_: object): Promise<object> => Promise.reject(new Error('as kafkajs does')),
  }
  type Send = (exchange: { request: object; response: typeof response }) => Promise<object>
  const send: Send = async (exchange) => exchange.response.parse(await exchange.response.decode())
  const connectionPoolBuilder = { build: async () => ({ send }) }
  isolateIn({ brokerPool: { brokers: {} }, connectionPoolBuilder } as unknown as InnerCluster)
  const connections = await connectionPoolBuilder.build()
  return connections.send({ request: { apiName }, response })
}

test('a partition with an error stays in the metadata, and a topic with an error fails it', async () => {
  const topic = { topicErrorCode: 0, topic: 't', partitionMetadata: [NO_LEADER, LED] }
  expect(await parse(METADATA, { topicMetadata: [topic] })).toEqual({ topicMetadata: [topic] })
  const unknown = { topicErrorCode: 3, topic: 'u', partitionMetadata: [] }
  await expect(parse(METADATA, { topicMetadata: [topic, unknown] })).rejects.toMatchObject({
    type: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
})

test('a partition with an error is left out of the offsets, unless all have one', async () => {
  const moved = { partition: 0, errorCode: 6, offset: '-1' }
  const good = { partition: 1, errorCode: 0, offset: '7' }
  const answer = (...partitions: object[]) => ({ responses: [{ topic: 't', partitions }] })
  expect(await parse(LIST_OFFSETS, answer(moved, good))).toEqual(answer(good))
  await expect(parse(LIST_OFFSETS, answer(moved))).rejects.toMatchObject({ type: 'NOT_LEADER_FOR_PARTITION' })
  await expect(parse('Fetch', answer(good))).rejects.toThrow('as kafkajs does')
})

test('a coordinator is asked for at a broker that can be reached', async () => {
  const brokers = { 1: { isConnected: () => false }, 2: { isConnected: () => false }, 3: { isConnected: () => true } }
  const down = new Set(['1', '3'])
  const findBroker = async ({ nodeId }: { nodeId: string }) => {
    if (down.has(nodeId)) throw new Error(`broker ${nodeId} is down`)
    return {} as InnerBroker
  }
  type Use = (found: { nodeId: string }) => Promise<string>
  const pool = { brokers, findBroker, withBroker: (_: Use): Promise<string | null> => Promise.resolve(null) }
  isolateIn({ brokerPool: pool, connectionPoolBuilder: {} } as unknown as InnerCluster)
  const ask = () => pool.withBroker(async ({ nodeId }) => nodeId)
  expect(await ask()).toBe('2')
  down.delete('3')
  expect(await ask(), 'the one that is connected comes first').toBe('3')
  down.add('2').add('3')
  await expect(ask()).rejects.toThrow('broker 2 is down')
})
