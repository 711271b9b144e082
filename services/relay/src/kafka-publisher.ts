// The only file that publishes with kafkajs, and the place of the guards against what it does wrong.
import type { Logger } from '@streamledger/runtime'
import type { Producer, Transaction } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { BATCH_HEADER, CONNECT_TIMEOUT_MS, createKafkaClient, RETRY } from './kafka-client.ts'
import { scanForBatch } from './kafka-scan.ts'
import type { Batch, Kafka, Publisher, Receipt } from './publisher.ts'

export interface KafkaOptions {
  brokers: string[]
  topic: string
  installationId: string
  /** Longest that one step may take before its outcome counts as unknown, in ms. */
  stepTimeoutMs: number
  /** When the broker aborts a transaction that nobody finishes, in ms. */
  transactionTimeoutMs: number
}

export async function connectKafka(options: KafkaOptions, logger: Logger): Promise<Kafka> {
  const { topic, installationId, stepTimeoutMs } = options
  const groupId = `streamledger.relay.${installationId}`
  const client = createKafkaClient(options.brokers, logger, stepTimeoutMs)
  const admin = client.admin()
  const step = <T>(what: string, promise: Promise<T>): Promise<T> => withDeadline(what, stepTimeoutMs, promise)
  await step('connecting to Kafka', admin.connect()).catch(async (error) => {
    await disconnect(admin)
    throw error
  })

  async function readEndOffset(partition: number): Promise<number> {
    const offsets = await step('reading end offsets', admin.fetchTopicOffsets(topic))
    const end = offsets.find((offset) => offset.partition === partition)
    if (!end) throw new Error(`topic ${topic} has no partition ${partition}`)
    return parseOffset(end.high)
  }

  return {
    readEndOffset,

    async openPublisher(partition) {
      const producer = client.producer({
        transactionalId: `${installationId}-${topic}-${partition}`,
        transactionTimeout: options.transactionTimeoutMs,
        maxInFlightRequests: 1,
        retry: RETRY,
        allowAutoTopicCreation: false,
        createPartitioner: () => () => partition,
      })
      try {
        await step('connecting a producer', producer.connect())
        // InitProducerId goes out with the first transaction(), not with connect(): only this fences older producers.
        const first = await step('fencing older producers', producer.transaction())
        return createPublisher({ producer, first, partition, topic, groupId, step, readEndOffset })
      } catch (error) {
        await disconnect(producer)
        throw error
      }
    },

    async readReceipt(partition) {
      const topics = await step('reading receipts', admin.fetchOffsets({ groupId, topics: [topic] }))
      const entry = topics[0]?.partitions.find((candidate) => candidate.partition === partition)
      // A partition that is not in the answer was not asked for: that is no word on whether there is a receipt.
      if (!entry) throw new Error(`no answer about the receipt of partition ${partition}`)
      if (entry.offset === '-1') return undefined
      return parseReceipt(entry.offset, entry.metadata ?? '')
    },

    containsBatch: (partition, batchId, offsets) =>
      scanForBatch(client, { topic, partition, batchId, offsets, stepTimeoutMs }),

    close: () => disconnect(admin),
  }
}

interface PublisherParts {
  producer: Producer
  /** Opened by the fencing, and so the one that the first batch goes into. */
  first: Transaction
  partition: number
  topic: string
  groupId: string
  step<T>(what: string, promise: Promise<T>): Promise<T>
  readEndOffset(partition: number): Promise<number>
}

function createPublisher({
  producer,
  first,
  partition,
  topic,
  groupId,
  step,
  readEndOffset,
}: PublisherParts): Publisher {
  let opened: Transaction | undefined = first

  async function takeTransaction(): Promise<Transaction> {
    const transaction = opened ?? (await step('beginning a transaction', producer.transaction()))
    opened = undefined
    return transaction
  }

  async function commitWithReceipt(transaction: Transaction, receipt: Receipt): Promise<Receipt> {
    const partitions = [{ partition, offset: String(receipt.offset), metadata: `${receipt.seq}:${receipt.batchId}` }]
    await step(
      'sending the receipt',
      transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions }] }),
    )
    // An error here leaves kafkajs stuck and the outcome open: recovery asks Kafka, nobody tries again.
    await step('committing', transaction.commit())
    return receipt
  }

  return {
    async publish(batch) {
      const transaction = await takeTransaction()
      // One send, to one partition: over several leaders kafkajs can lose or double messages when it tries again.
      const [sent] = await step('sending records', transaction.send({ topic, messages: messagesOf(batch, partition) }))
      const offset = parseOffset(sent?.baseOffset ?? '') + batch.rows.length
      return commitWithReceipt(transaction, { seq: batch.seq, batchId: batch.batchId, offset })
    },

    async writeReceipt(seq) {
      const transaction = await takeTransaction()
      return commitWithReceipt(transaction, { seq, batchId: NO_BATCH, offset: await readEndOffset(partition) })
    },

    discard: () => disconnect(producer),
  }
}

/** The batch id of a receipt that was written by itself. */
const NO_BATCH = '00000000-0000-0000-0000-000000000000'

function messagesOf({ batchId, rows }: Batch, partition: number) {
  return rows.map(({ key, payload, headers }, index) => ({
    key,
    value: payload,
    partition,
    headers: index === 0 ? { ...headers, [BATCH_HEADER]: batchId } : headers,
  }))
}

/** Whatever state it is in. */
async function disconnect(client: { disconnect(): Promise<void> }): Promise<void> {
  await withDeadline('disconnecting', CONNECT_TIMEOUT_MS, client.disconnect()).catch(() => {})
}

/** A receipt from a group's offset and its metadata, or the text that is none. */
export function parseReceipt(offset: string, metadata: string): Receipt | string {
  const [, seq, batchId] = /^(\d{1,15}):([0-9a-f-]{36})$/.exec(metadata) ?? []
  if (!seq || !batchId) return `offset ${offset}, metadata ${JSON.stringify(metadata)}`
  return { seq: Number(seq), batchId, offset: parseOffset(offset) }
}

/** Offsets are int64 on the wire and text in kafkajs; one that a number cannot hold is an error. */
function parseOffset(text: string): number {
  const offset = Number(text)
  if (text === '' || !Number.isSafeInteger(offset) || offset < 0)
    throw new RangeError(`not an offset: ${JSON.stringify(text)}`)
  return offset
}
