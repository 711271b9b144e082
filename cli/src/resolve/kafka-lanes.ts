import { setTimeout as delay } from 'node:timers/promises'
import {
  createKafka,
  isolateFailures,
  type KafkaAccess,
  LATEST,
  listOffsets,
  openInnerCluster,
  parseReceipt,
  type Reader,
  type Receipt,
  receiptGroupOf,
  transactionalIdOf,
} from '@streamledger/kafka'
import { type Kafka, logLevel } from 'kafkajs'
import { CliError } from '../errors.ts'
import { isKafkaError } from '../is-kafka-error.ts'

export interface LaneStream {
  kafka: KafkaAccess
  topic: string
  installationId: string
}

/** What Kafka shows about a partition. */
export interface LaneSight {
  /** A receipt that cannot be parsed is given as its text. */
  receipt: Receipt | string | undefined
  /** Consumers can read up to this offset. */
  stable: number
  /** One past the last record, also if its transaction is open or aborted. */
  end: number
}

export interface LaneKafka {
  look(partition: number): Promise<LaneSight>
  /** Ends the transactions of every earlier writer of the partition, so that they cannot change what is read afterwards. */
  fence(partition: number): Promise<void>
}

const CONNECT_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 10_000
const RETRY = { retries: 30, initialRetryTime: 20, maxRetryTime: 500 }
const TRANSACTION_TIMEOUT_MS = 10_000

/** @throws CliError `unavailable` */
export async function withLaneKafka<T>(stream: LaneStream, use: (lanes: LaneKafka) => Promise<T>): Promise<T> {
  const kafka = createKafka({
    ...stream.kafka,
    clientId: 'streamledger-cli',
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logLevel: logLevel.NOTHING,
  })
  const cluster = openInnerCluster(kafka)
  // The writer that fences a partition asks for all topics of the cluster, and one of their partitions may have no leader.
  isolateFailures(kafka)
  try {
    await cluster.connect()
    await cluster.addTargetTopic(stream.topic)
    await cluster.refreshMetadata()
    return await use({
      look: (partition) => look(partition),
      fence: (partition) => fence(kafka, stream, partition),
    })
  } catch (error) {
    if (!isKafkaError(error)) throw error
    const text = `Kafka at ${stream.kafka.brokers.join(', ')} cannot be reached, or refuses the request (${(error as Error).message}). Is it running, and is KAFKA_BROKERS right?`
    throw new CliError('unavailable', text, { cause: error })
  } finally {
    await cluster.disconnect().catch(() => {})
  }

  async function look(partition: number): Promise<LaneSight> {
    const { topic } = stream
    const groupId = receiptGroupOf(stream.installationId)
    const found = await retried(async () => {
      const coordinator = await cluster.findGroupCoordinator({ groupId })
      return coordinator.offsetFetch({ groupId, topics: [{ topic, partitions: [{ partition }] }] })
    })
    const { offset = '-1', metadata = null } = found.responses[0]?.partitions[0] ?? {}
    return {
      receipt: parseReceipt(offset, metadata),
      stable: await readEnd(partition, 'read_committed'),
      end: await readEnd(partition, 'everyone'),
    }
  }

  async function readEnd(partition: number, reader: Reader): Promise<number> {
    const { topic } = stream
    const led = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
    if (!led) throw new CliError('unsuitable', `Topic ${topic} has no partition ${partition}.`)
    if (led.leader < 0) throw new CliError('unavailable', `Partition ${partition} of topic ${topic} has no leader.`)
    const broker = await cluster.findBroker({ nodeId: led.leader })
    const ends = await listOffsets(broker, { topic, partitions: [partition] }, { reader, timestamp: LATEST })
    return ends.get(partition) ?? Number.NaN
  }
}

/** A coordinator that has just been elected refuses until it has loaded its groups. */
async function retried<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + REQUEST_TIMEOUT_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const { retriable } = error as { retriable?: boolean }
      if (!retriable || performance.now() + RETRY.maxRetryTime > deadline) throw error
      await delay(RETRY.maxRetryTime)
    }
  }
}

async function fence(kafka: Kafka, { installationId, topic }: LaneStream, partition: number): Promise<void> {
  const producer = kafka.producer({
    transactionalId: transactionalIdOf(installationId, topic, partition),
    transactionTimeout: TRANSACTION_TIMEOUT_MS,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: RETRY,
  })
  try {
    await producer.connect()
    // This sends InitProducerId. It returns when the open transactions of older producers have ended.
    await producer.transaction()
  } finally {
    await producer.disconnect().catch(() => {})
  }
}
