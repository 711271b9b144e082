import { createRequire } from 'node:module'
import type { Kafka } from 'kafkajs'
import { encodeRecordBatch, type Message } from './encode-record-batch.ts'
import { findCreateCluster, type InnerBroker, type InnerCluster } from './inner-cluster.ts'

/** The argument with which kafkajs calls a broker's `produce`. */
interface Produce {
  transactionalId?: string | undefined
  producerId: string
  producerEpoch: number
  acks?: number
  timeout?: number
  topicData: {
    topic: string
    partitions: { partition: number; firstSequence: number; messages: Message[] }[]
  }[]
}

interface ProducingBroker extends InnerBroker {
  produce(produce: Produce): Promise<unknown>
  disconnect(): Promise<void>
}

const API_KEY = 0
const API_VERSION = 7
const ACKS_OF_ALL = -1
const TIMEOUT_MS = 30_000

const response: unknown = createRequire(import.meta.url)('kafkajs/src/protocol/requests/produce/v7/response.js')

/**
 * Makes a client's producers encode records by `encodeRecordBatch`, uncompressed. kafkajs still does the rest: sequence
 * numbers, retries, the response.
 */
export function produceDirectly(kafka: Kafka): void {
  const { create, replace } = findCreateCluster(kafka)
  replace((options) => produceIn(create(options)))
}

function produceIn(cluster: InnerCluster): InnerCluster {
  const find = cluster.findBroker.bind(cluster)
  return Object.assign(cluster, {
    async findBroker(node: { nodeId: number }): Promise<InnerBroker> {
      const broker = (await find(node)) as ProducingBroker
      broker.produce = (produce) => send(broker, produce)
      return broker
    },
  })
}

async function send(broker: ProducingBroker, produce: Produce): Promise<unknown> {
  const encode = async () => {
    const buffer = encodeProduce(produce)
    return { buf: buffer, buffer } // the fields of kafkajs's Encoder that are read
  }
  const request = { apiKey: API_KEY, apiVersion: API_VERSION, apiName: 'Produce', expectResponse: () => true, encode }
  try {
    return await broker.connectionPool.send({ request, response })
  } catch (error) {
    // As kafkajs does after each of its own requests.
    if ((error as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect()
    throw error
  }
}

/** Source: Apache Kafka protocol guide, Produce request, version 7. */
export function encodeProduce({ acks = ACKS_OF_ALL, timeout = TIMEOUT_MS, topicData, ...produce }: Produce): Buffer {
  const producer = { producerId: BigInt(produce.producerId), producerEpoch: produce.producerEpoch }
  const topics = topicData.map(({ topic, partitions }) => {
    const encoded = partitions.flatMap(({ partition, firstSequence, messages }) => {
      const batch = encodeRecordBatch({ ...producer, firstSequence, timestampMs: Date.now(), messages })
      return [int32(partition), int32(batch.length), batch]
    })
    return [text(topic), int32(partitions.length), ...encoded]
  })
  const head = [text(produce.transactionalId ?? null), int16(acks), int32(timeout), int32(topics.length)]
  return Buffer.concat([...head, ...topics.flat()])
}

function text(value: string | null): Buffer {
  if (value === null) return int16(-1)
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2)
  buffer.writeInt16BE(value)
  return buffer
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}
