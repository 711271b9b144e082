import { createRequire } from 'node:module'
import type { Kafka } from 'kafkajs'
import { findCreateCluster, type InnerCluster } from './inner-cluster.ts'
import { createReader } from './protocol-reader.ts'

/** Which cluster this is, and which topic of this name. Kafka draws both ids at random and never gives them twice. */
export interface KafkaIdentity {
  clusterId: string
  /** A topic that is deleted and created again has another id. Undefined: there is no topic of this name. */
  topicId: string | undefined
}

// kafkajs asks for metadata up to version 6. Topic ids came with version 10; version 12 can be asked by name again.
// Source: Apache Kafka protocol guide, Metadata request and response, version 12.
const API_KEY = 3
const API_VERSION = 12
const UUID_BYTES = 16
const UNKNOWN_TOPIC = 3
const NO_TAGS = Buffer.alloc(1)
const FALSE = Buffer.alloc(1)

const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error.js') as {
  createErrorFromCode(code: number): Error
}

/** Asks over the connection of kafkajs, so with its TLS and SASL. The right to describe the topic is enough. */
export async function readIdentity(cluster: InnerCluster, topic: string): Promise<KafkaIdentity> {
  const broker = await cluster.brokerPool.findConnectedBroker()
  const encode = async () => {
    const buffer = encodeMetadata(topic)
    return { buf: buffer, buffer } // the fields of kafkajs's Encoder that are read
  }
  const request = { apiKey: API_KEY, apiVersion: API_VERSION, apiName: 'Metadata with topic ids', encode }
  const response = { decode: async (payload: Buffer) => payload, parse: async (payload: Buffer) => payload }
  return decodeMetadata((await broker.connectionPool.send({ request, response })) as Buffer)
}

/** Tags of the header; topics by id and name; whether to create them, and to list the client's rights; tags. */
export function encodeMetadata(topic: string): Buffer {
  const name = Buffer.from(topic)
  const asked = [Buffer.of(2), Buffer.alloc(UUID_BYTES), varint(name.length + 1), name, NO_TAGS]
  return Buffer.concat([NO_TAGS, ...asked, FALSE, FALSE, NO_TAGS])
}

/** Tags of the header; throttle time; brokers; cluster id; controller; topics, each with its error, name and id. */
export function decodeMetadata(payload: Buffer): KafkaIdentity {
  const reader = createReader(payload, 0)
  reader.skipTags()
  reader.skip(4)
  for (let left = reader.varint() - 1; left > 0; left -= 1) {
    reader.skip(4)
    reader.text()
    reader.skip(4)
    reader.text()
    reader.skipTags()
  }
  const clusterId = reader.text()
  if (!clusterId) throw new Error('Kafka does not say which cluster it is')
  reader.skip(4)
  reader.varint()
  const error = reader.int16()
  if (error === UNKNOWN_TOPIC) return { clusterId, topicId: undefined }
  if (error !== 0) throw createErrorFromCode(error)
  reader.text()
  return { clusterId, topicId: reader.bytes(UUID_BYTES).toString('base64url') } // as Kafka's own tools print it
}

/** An unsigned number of the protocol, of one to five bytes. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.of(...bytes, rest)
    bytes.push((rest & 0x7f) | 0x80)
  }
}

/** Lets the client's next producer be asked which Kafka it is connected to. */
export function identifyNextProducer(kafka: Kafka, topic: string): () => Promise<KafkaIdentity> {
  const { create, replace } = findCreateCluster(kafka)
  let cluster: InnerCluster | undefined
  replace((options) => {
    cluster = create(options)
    return cluster
  })
  return async () => {
    if (!cluster) throw new Error('this client has no producer')
    return readIdentity(cluster, topic)
  }
}

/** The columns of the database's topic row. */
export interface PinnedColumns {
  kafka_cluster_id: string | null
  kafka_topic_id: string | null
}

/** Which Kafka has this database's events. Undefined: that is not recorded yet. */
export function pinnedOf(columns: PinnedColumns | undefined): KafkaIdentity | undefined {
  const { kafka_cluster_id: clusterId, kafka_topic_id: topicId } = columns ?? {}
  return clusterId && topicId ? { clusterId, topicId } : undefined
}

/** What differs between the Kafka that has the events and the one that was met; undefined: nothing, or none is recorded. */
export function findDifference(pinned: KafkaIdentity | undefined, met: KafkaIdentity): 'cluster' | 'topic' | undefined {
  if (!pinned) return undefined
  if (pinned.clusterId !== met.clusterId) return 'cluster'
  return pinned.topicId === met.topicId ? undefined : 'topic'
}

export function describeDifference(pinned: KafkaIdentity, met: KafkaIdentity): string {
  if (pinned.clusterId !== met.clusterId) {
    return `Kafka is cluster ${met.clusterId}, and the events of this database are in cluster ${pinned.clusterId}. If KAFKA_BROKERS is wrong, correct it. If Kafka was moved, use "streamledger relay adopt-cluster"; if it was lost, "streamledger relay resolve --all"; see docs/runbook.md`
  }
  if (met.topicId === undefined) return `the topic was deleted: the events were published to the one with id ${pinned.topicId}` // biome-ignore format: one line
  return `the topic was deleted and created again: its id is ${met.topicId}, and the events were published to the one with id ${pinned.topicId}`
}
