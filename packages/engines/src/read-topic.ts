import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, type Consumer, type IHeaders, Kafka, type KafkaMessage, logLevel } from 'kafkajs'

const POLL_INTERVAL_MS = 10
const FETCH_WAIT_MS = 50
const TIMEOUT_MS = 30_000

/** A record as a consumer sees it, with its text decoded. */
export type TopicRecord = {
  readonly key: string | null
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly partition: number
  readonly offset: number
}

export type ReadTopicOptions = {
  /** Stop once this many records have been seen; without it, stop at the end that the topic has when the reading begins. */
  count?: number
  timeoutMs?: number
  /** False shows what transactions left open or aborted, too. */
  readCommitted?: boolean
}

type Ends = Map<number, number>

/** Reads a topic from its beginning, as a read_committed consumer unless told otherwise; in order of partition and offset. */
export async function readTopic(
  brokers: string,
  topic: string,
  options: ReadTopicOptions = {},
): Promise<TopicRecord[]> {
  const { count, timeoutMs = TIMEOUT_MS, readCommitted = true } = options
  const kafka = new Kafka({
    clientId: 'streamledger-reader',
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    // kafkajs shortens its retries where NODE_ENV is "test": said here, they are the same everywhere.
    retry: { retries: 10, initialRetryTime: 50, maxRetryTime: 500 },
  })
  const admin = kafka.admin()
  const groupId = `streamledger-reader-${randomUUID()}`
  const consumer = kafka.consumer({ groupId, readUncommitted: !readCommitted, maxWaitTimeInMs: FETCH_WAIT_MS })
  try {
    await admin.connect()
    const ends = await readEnds(admin, topic)
    if (count === undefined && ends.size === 0) return []
    return await readUntil(consumer, { topic, ends, count, timeoutMs })
  } finally {
    await consumer.disconnect()
    await admin.deleteGroups([groupId]).catch(() => {}) // never joined, or still leaving: it expires by itself
    await admin.disconnect()
  }
}

/** The offset after the last stable record of each partition that holds anything. */
async function readEnds(admin: Admin, topic: string): Promise<Ends> {
  const offsets = await admin.fetchTopicOffsets(topic)
  const filled = offsets.filter(({ high, low }) => Number(high) > Number(low))
  return new Map(filled.map(({ partition, high }) => [partition, Number(high)]))
}

type Reading = { topic: string; ends: Ends; count: number | undefined; timeoutMs: number }

async function readUntil(consumer: Consumer, { topic, ends, count, timeoutMs }: Reading): Promise<TopicRecord[]> {
  const records: TopicRecord[] = []
  const positions: Ends = new Map()
  // Told of batches that hold nothing but a transaction's end marker too, which the handler below never sees.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    positions.set(payload.partition, Number(payload.lastOffset) + 1)
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) records.push(toRecord(batch.partition, message))
    },
  })
  const isDone = () =>
    count === undefined
      ? [...ends].every(([partition, end]) => (positions.get(partition) ?? 0) >= end)
      : records.length >= count
  const deadline = performance.now() + timeoutMs
  while (!isDone()) {
    if (performance.now() > deadline)
      throw new Error(describeTimeout({ topic, ends, count, timeoutMs }, records.length))
    await delay(POLL_INTERVAL_MS)
  }
  return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
}

function describeTimeout({ topic, count, timeoutMs }: Reading, seen: number): string {
  return `${topic}: ${seen} records after ${timeoutMs} ms, ${count === undefined ? 'and not at the end' : `not ${count}`}`
}

function toRecord(partition: number, { key, value, headers, offset }: KafkaMessage): TopicRecord {
  return {
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: decodeHeaders(headers ?? {}),
    partition,
    offset: Number(offset),
  }
}

function decodeHeaders(headers: IHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
