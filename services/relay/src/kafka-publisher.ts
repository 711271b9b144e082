// The only file that publishes with kafkajs. It works around the errors of kafkajs.
import {
  type KafkaAccess,
  parseOffset,
  parseReceipt,
  produceDirectly,
  receiptGroupOf,
  rememberCoordinators,
  transactionalIdOf,
} from '@streamledger/kafka'
import type { Logger } from '@streamledger/runtime'
import type { Producer, Transaction } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import {
  BATCH_HEADER,
  createKafkaClient,
  FENCE_HEADER,
  type KafkaClient,
  RETRY,
  rotateBrokers,
} from './kafka-client.ts'
import { createLog, type KafkaLog } from './kafka-log.ts'
import { scanForBatch, scanForOtherRecord } from './kafka-scan.ts'
import { type Batch, type Kafka, type Publisher, type Receipt, RecordsGoneError, type Sight } from './publisher.ts'

export interface KafkaOptions {
  access: KafkaAccess
  topic: string
  installationId: string
  /** Timeout of one step; after it the outcome counts as unknown. */
  stepTimeoutMs: number
  /** Timeout after which the broker aborts an unfinished transaction. */
  transactionTimeoutMs: number
}

export async function connectKafka(options: KafkaOptions, logger: Logger): Promise<Kafka> {
  const { access, topic, installationId, stepTimeoutMs } = options
  const groupId = receiptGroupOf(installationId)
  const step = <T>(what: string, promise: Promise<T>): Promise<T> => withDeadline(what, stepTimeoutMs, promise)
  const nextAccess = rotateBrokers(access)
  const log = createLog({ access, topic, stepTimeoutMs }, logger)
  await log.readEnds('everyone')

  return {
    async openPublisher(partition) {
      await log.include(partition)
      const client = createKafkaClient(nextAccess(), logger, stepTimeoutMs)
      rememberCoordinators(client.kafka)
      produceDirectly(client.kafka)
      const producer = client.kafka.producer({
        transactionalId: transactionalIdOf(installationId, topic, partition),
        transactionTimeout: options.transactionTimeoutMs,
        maxInFlightRequests: 1,
        retry: RETRY,
        allowAutoTopicCreation: false,
        createPartitioner: () => () => partition,
      })
      try {
        await step('connecting a producer', producer.connect())
        // The first transaction(), not connect(), sends InitProducerId, which fences older producers.
        const first = await step('fencing older producers', producer.transaction())
        return createPublisher({ client, producer, first, partition, topic, groupId, step })
      } catch (error) {
        await disconnect(client, producer)
        throw error
      }
    },

    look: () => look(log, groupId),

    async lookAnew() {
      const fresh = createLog({ access: nextAccess(), topic, stepTimeoutMs }, logger)
      try {
        return await look(fresh, groupId)
      } finally {
        void fresh.close()
      }
    },

    renew: () => log.renew(),

    countPartitions: () => log.countPartitions(),

    async readEndOffset(partition) {
      const end = (await log.readEnds('everyone')).get(partition)
      if (end === undefined) throw new Error(`topic ${topic} has no partition ${partition}`)
      return end
    },

    async findBatch(partition, batchId, { from, to }) {
      const start = await log.readStart(partition)
      const offsets = { from: Math.max(from, start), to }
      const found = await step('reading back a partition', scanForBatch(log, { partition, batchId, offsets }))
      if (found === undefined && start > from) {
        throw new RecordsGoneError(
          `batch ${batchId} is not in the topic from offset ${start} on, and the records from ${from} to there were deleted`,
        )
      }
      return found
    },

    async findOtherRecord(partition, batchId, { from, to }) {
      const offsets = { from: Math.max(from, await log.readStart(partition)), to }
      return step('reading back a partition', scanForOtherRecord(log, { partition, batchId, offsets }))
    },

    close: () => log.close(),
  }
}

async function look(log: KafkaLog, groupId: string): Promise<Map<number, Sight>> {
  const [offsets, ends] = await Promise.all([log.readOffsets(groupId), log.readEnds('read_committed')])
  const receipts = new Map(
    offsets.map(({ partition, offset, metadata }) => [partition, parseReceipt(offset, metadata)]),
  )
  // A partition missing from one answer is left out: a missing answer does not mean that there is no receipt.
  const both = [...ends].filter(([partition]) => receipts.has(partition))
  return new Map(both.map(([partition, stable]) => [partition, { receipt: receipts.get(partition), stable }]))
}

interface PublisherParts {
  client: KafkaClient
  producer: Producer
  /** The transaction that was opened to fence older producers; the first batch uses it. */
  first: Transaction
  partition: number
  topic: string
  groupId: string
  step<T>(what: string, promise: Promise<T>): Promise<T>
}

function createPublisher({ client, producer, first, partition, topic, groupId, step }: PublisherParts): Publisher {
  let opened: Transaction | undefined = first

  async function takeTransaction(): Promise<Transaction> {
    const transaction = opened ?? (await step('beginning a transaction', producer.transaction()))
    opened = undefined
    return transaction
  }

  async function sendReceipt(transaction: Transaction, { seq, batchId, offset }: Receipt): Promise<void> {
    const partitions = [{ partition, offset: String(offset), metadata: `${seq}:${batchId}` }]
    const topics = [{ topic, partitions }]
    await step('sending the receipt', transaction.sendOffsets({ consumerGroupId: groupId, topics }))
  }

  async function commitWithReceipt(transaction: Transaction, receipt: Receipt): Promise<void> {
    await sendReceipt(transaction, receipt)
    // After an error here kafkajs is stuck and the outcome unknown. Do not retry: recovery asks Kafka.
    await step('committing', transaction.commit())
  }

  return {
    async publish(batch) {
      const transaction = await takeTransaction()
      // One send to one partition: with several leaders, kafkajs can lose or duplicate messages when it retries.
      const [sent] = await step('sending records', transaction.send({ topic, messages: messagesOf(batch, partition) }))
      const offset = parseOffset(sent?.baseOffset ?? '') + batch.rows.length
      const receipt = { seq: batch.seq, batchId: batch.batchId, offset }
      await commitWithReceipt(transaction, receipt)
      return receipt
    },

    async writeReceipt(receipt) {
      await commitWithReceipt(await takeTransaction(), receipt)
    },

    async fence(receipt) {
      const transaction = await takeTransaction()
      const fence = { key: null, value: null, partition, headers: { [FENCE_HEADER]: receipt.batchId } }
      const [sent] = await step('sending a fence', transaction.send({ topic, messages: [fence] }))
      await sendReceipt(transaction, receipt)
      await step('aborting the fence', transaction.abort())
      return parseOffset(sent?.baseOffset ?? '')
    },

    discard: () => disconnect(client, producer),
  }
}

function messagesOf({ batchId, rows }: Batch, partition: number) {
  return rows.map(({ key, payload, headers }, index) => ({
    key,
    value: payload,
    partition,
    headers: index === 0 ? { ...headers, [BATCH_HEADER]: batchId } : headers,
  }))
}

/**
 * Works in any state. Cuts the sockets first, so that no late request is sent: the next producer is about to fence it.
 */
async function disconnect({ cutOff }: KafkaClient, producer: Producer): Promise<void> {
  cutOff()
  await withDeadline('disconnecting', DISCONNECT_TIMEOUT_MS, producer.disconnect()).catch(() => {})
}

/** Short, because the sockets are already closed. */
const DISCONNECT_TIMEOUT_MS = 1_000
