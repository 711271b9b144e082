// The only file that publishes with kafkajs. It works around the errors of kafkajs.
import {
  identifyNextProducer,
  isolateFailures,
  type KafkaAccess,
  type KafkaIdentity,
  messageBytesMin,
  openInnerCluster,
  parseOffset,
  parseReceipt,
  produceDirectly,
  readIdentity,
  receiptGroupOf,
  rememberCoordinators,
  transactionalIdOf,
} from '@streamledger/kafka'
import type { Logger } from '@streamledger/runtime'
import type { Producer, Transaction } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { BATCH_HEADER, createKafkaClient, FENCE_HEADER, type KafkaClient, nextTurn, RETRY } from './kafka-client.ts'
import { createLog, type KafkaLog } from './kafka-log.ts'
import { scanForBatch, scanForOtherRecord } from './kafka-scan.ts'
import {
  type Batch,
  BatchRefusedError,
  type Kafka,
  OffsetBehindError,
  type Publisher,
  type Receipt,
  RecordsGoneError,
  type Sight,
} from './publisher.ts'

export interface KafkaOptions {
  access: KafkaAccess
  topic: string
  installationId: string
  /** Timeout of one step; after it the outcome counts as unknown. */
  stepTimeoutMs: number
  /** Timeout after which the broker aborts an unfinished transaction. */
  transactionTimeoutMs: number
}

const ASKING = 'asking which Kafka this is'

export async function connectKafka(options: KafkaOptions, logger: Logger): Promise<Kafka> {
  const { access, topic, installationId, stepTimeoutMs } = options
  const groupId = receiptGroupOf(installationId)
  const step = <T>(what: string, promise: Promise<T>): Promise<T> => withDeadline(what, stepTimeoutMs, promise)
  const log = createLog({ access, topic, stepTimeoutMs }, logger)
  await log.countPartitions()
  let identity: KafkaIdentity | undefined

  return {
    get identity() {
      return identity
    },

    async identify() {
      const client = createKafkaClient(access, logger, stepTimeoutMs)
      const cluster = openInnerCluster(client.kafka)
      try {
        const asking = cluster.connect().then(() => readIdentity(cluster, topic))
        const met = await step(ASKING, asking)
        identity = met
        return met
      } finally {
        client.cutOff()
      }
    },

    async openPublisher(partition) {
      await log.include(partition)
      const client = createKafkaClient(access, logger, stepTimeoutMs)
      isolateFailures(client.kafka)
      rememberCoordinators(client.kafka)
      produceDirectly(client.kafka)
      const identify = identifyNextProducer(client.kafka, topic)
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
        const met = await step(ASKING, identify())
        identity = met
        // A broker may not know a new topic yet.
        if (met.topicId === undefined) throw new Error(`Kafka has no topic ${topic}`)
        // The first transaction(), not connect(), sends InitProducerId, which fences older producers.
        const first = await step('fencing older producers', producer.transaction())
        return createPublisher({ client, producer, first, identity: met, partition, topic, groupId, step })
      } catch (error) {
        await disconnect(client, producer)
        throw error
      }
    },

    leaderOf: (partition) => log.leaderOf(partition),

    look: (partitions) => look(log, groupId, partitions),

    async lookAnew() {
      const fresh = createLog({ access, topic, stepTimeoutMs, turn: nextTurn() }, logger)
      try {
        return await lookByLeader(fresh, groupId)
      } finally {
        void fresh.close()
      }
    },

    renew: () => log.renew(),

    countPartitions: () => log.countPartitions(),

    async readEndOffset(partition) {
      const end = (await log.readEnds('everyone', [partition])).get(partition)
      if (end === undefined) throw new Error(`partition ${partition} of topic ${topic} has no leader`)
      return end
    },

    async findBatch(partition, batchId, { from, to }, progressed) {
      const start = await log.readStart(partition)
      const offsets = { from: Math.max(from, start), to }
      const found = await scanForBatch(log, { partition, batchId, offsets }, progressed)
      if (found === undefined && start > from) {
        throw new RecordsGoneError(
          `batch ${batchId} is not in the topic from offset ${start} on, and the records from ${from} to there were deleted`,
        )
      }
      return found
    },

    async findOtherRecord(partition, batchId, { from, to }, progressed) {
      const offsets = { from: Math.max(from, await log.readStart(partition)), to }
      return scanForOtherRecord(log, { partition, batchId, offsets }, progressed)
    },

    close: () => log.close(),
  }
}

async function look(log: KafkaLog, groupId: string, partitions: readonly number[]): Promise<Map<number, Sight>> {
  const [offsets, ends] = await Promise.all([
    log.readOffsets(groupId, partitions),
    log.readEnds('read_committed', partitions),
  ])
  const receipts = new Map(
    offsets.map(({ partition, offset, metadata }) => [partition, parseReceipt(offset, metadata)]),
  )
  // A partition missing from one answer is left out: a missing answer does not mean that there is no receipt.
  const both = [...ends].filter(([partition]) => receipts.has(partition))
  return new Map(both.map(([partition, stable]) => [partition, { receipt: receipts.get(partition), stable }]))
}

/** Looks at all partitions, and leaves out those of a leader that does not answer, unless no leader does. */
async function lookByLeader(log: KafkaLog, groupId: string): Promise<Map<number, Sight>> {
  const partitions = Array.from({ length: await log.countPartitions() }, (_, partition) => partition)
  const groups = [...Map.groupBy(partitions, log.leaderOf).values()]
  const looks = await Promise.allSettled(groups.map((group) => look(log, groupId, group)))
  const answered = looks.filter((each) => each.status === 'fulfilled')
  if (answered.length === 0) throw looks.find((each) => each.status === 'rejected')?.reason
  return new Map(answered.flatMap(({ value }) => [...value]))
}

interface PublisherParts {
  client: KafkaClient
  producer: Producer
  /** The transaction that was opened to fence older producers; the first batch uses it. */
  first: Transaction
  identity: KafkaIdentity
  partition: number
  topic: string
  groupId: string
  step<T>(what: string, promise: Promise<T>): Promise<T>
}

function createPublisher(parts: PublisherParts): Publisher {
  const { client, producer, first, identity, partition, topic, groupId, step } = parts
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
    identity,

    async publish(batch, after) {
      const transaction = await takeTransaction()
      // One send to one partition: with several leaders, kafkajs can lose or duplicate messages when it retries.
      const sending = transaction.send({ topic, messages: messagesOf(batch, partition) })
      const [sent] = await step('sending records', sending).catch((error) => {
        throw refusalOf(error, topic, batch) ?? error
      })
      const first = parseOffset(sent?.baseOffset ?? '')
      if (first < after) {
        await step('aborting', transaction.abort()).catch(() => {})
        throw new OffsetBehindError(
          `batch ${batch.seq} would begin at offset ${first}, before the end of the batch before at ${after}: the topic was deleted and created again, or lost its end`,
        )
      }
      const offset = first + batch.rows.length
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

/** The setting of a topic that is too low for a batch, by the type of Kafka's error. */
const SETTING_TOO_LOW: Record<string, string> = {
  MESSAGE_TOO_LARGE: 'max.message.bytes',
  RECORD_LIST_TOO_LARGE: 'segment.bytes',
}

/**
 * A setting that is lower than at the start. The batch is not split: the recovery of a batch relies on one record batch
 * that holds all of it.
 */
function refusalOf(error: { type?: string }, topic: string, { seq, rows }: Batch): BatchRefusedError | undefined {
  const setting = SETTING_TOO_LOW[error.type ?? '']
  if (!setting) return undefined
  const sizes = rows.map((row) => Buffer.byteLength(row.key + row.payload + JSON.stringify(row.headers)))
  const wanted = messageBytesMin(sizes.reduce((sum, size) => sum + size, 0))
  return new BatchRefusedError(
    `Kafka refused batch ${seq} of ${rows.length} rows as too large: raise ${setting} of topic ${topic} to ${wanted} or more; the relay tries again until then`,
    { cause: error },
  )
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
