import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createKafka } from '@streamledger/kafka'
import { type Admin, type Consumer, type IHeaders, type Kafka, type KafkaMessage, logLevel } from 'kafkajs'

const POLL_INTERVAL_MS = 10
const FETCH_WAIT_MS = 50
const TIMEOUT_MS = 30_000
const LEADER_TRIES_MAX = 50
const LEADER_PAUSE_MS = 200

/** A record as a consumer sees it, with its text decoded. */
export type TopicRecord = {
  readonly key: string | null
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly partition: number
  readonly offset: number
  /** When its publisher sent it, by the publisher's clock. */
  readonly sentAtMs: number
}

/** The offset after the last stable record of each partition. */
export type TopicEnds = ReadonlyMap<number, number>

export type ReadTopicOptions = {
  /** Stop after this many records. Default: stop at the end that the topic has when the reading begins. */
  count?: number
  /** Stop once this is true for the records read so far; takes precedence over `count`. */
  isEnough?: (records: readonly TopicRecord[]) => boolean
  /** Begin at these offsets instead of at the beginning. */
  from?: TopicEnds
  timeoutMs?: number
  /** False: also read records of open and aborted transactions. */
  readCommitted?: boolean
}

/** Reads a topic, by default as a read_committed consumer. Returns records in order of partition and offset. */
export async function readTopic(
  brokers: string,
  topic: string,
  options: ReadTopicOptions = {},
): Promise<TopicRecord[]> {
  const { count, timeoutMs = TIMEOUT_MS, readCommitted = true, from = new Map() } = options
  const kafka = connect(brokers)
  const groupId = `streamledger-reader-${randomUUID()}`
  const consumer = kafka.consumer({ groupId, readUncommitted: !readCommitted, maxWaitTimeInMs: FETCH_WAIT_MS })
  return withAdmin(kafka, async (admin) => {
    try {
      const ends = await readEnds(admin, topic, from)
      const isEnough = options.isEnough ?? (count === undefined ? undefined : (seen) => seen.length >= count)
      if (!isEnough && ends.size === 0) return []
      return await readUntil(consumer, { topic, from, ends, isEnough, timeoutMs })
    } finally {
      await consumer.disconnect()
      await admin.deleteGroups([groupId]).catch(() => {}) // never joined, or still leaving: it expires by itself
    }
  })
}

/** The current end of each partition that has records; empty if the topic does not exist. */
export function readTopicEnds(brokers: string, topic: string): Promise<TopicEnds> {
  return withAdmin(connect(brokers), async (admin) => {
    if (!(await admin.listTopics()).includes(topic)) return new Map()
    return readEnds(admin, topic, new Map())
  })
}

function connect(brokers: string): Kafka {
  return createKafka({
    clientId: 'streamledger-reader',
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    // Set explicitly, because kafkajs has shorter retries if NODE_ENV is "test".
    retry: { retries: 10, initialRetryTime: 50, maxRetryTime: 500 },
  })
}

async function withAdmin<T>(kafka: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** A broker that has just started answers that it leads nothing yet: kafkajs passes that on. */
async function fetchOffsets(admin: Admin, topic: string) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await admin.fetchTopicOffsets(topic)
    } catch (error) {
      if (!(error as { retriable?: boolean }).retriable || tries === LEADER_TRIES_MAX) throw error
      await delay(LEADER_PAUSE_MS)
    }
  }
}

/** Only partitions that have records to read. */
async function readEnds(admin: Admin, topic: string, from: TopicEnds): Promise<TopicEnds> {
  const offsets = await fetchOffsets(admin, topic)
  const ends = offsets.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
  const filled = ends.filter(({ partition, low, high }) => high > Math.max(low, from.get(partition) ?? 0))
  return new Map(filled.map(({ partition, high }) => [partition, high]))
}

type Reading = {
  topic: string
  from: TopicEnds
  ends: TopicEnds
  isEnough: ReadTopicOptions['isEnough']
  timeoutMs: number
}

async function readUntil(consumer: Consumer, reading: Reading): Promise<TopicRecord[]> {
  const { topic, from, ends, isEnough, timeoutMs } = reading
  const records: TopicRecord[] = []
  const positions = new Map<number, number>()
  // This event also comes for batches with only a transaction marker, which the handler below never sees.
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
  for (const [partition, offset] of from) consumer.seek({ topic, partition, offset: String(offset) })
  const isAtEnd = () => [...ends].every(([partition, end]) => (positions.get(partition) ?? 0) >= end)
  const isDone = () => (isEnough ? isEnough(records) : isAtEnd())
  const deadline = performance.now() + timeoutMs
  while (!isDone()) {
    if (performance.now() > deadline)
      throw new Error(`${topic}: not done after ${timeoutMs} ms, with ${records.length} records`)
    await delay(POLL_INTERVAL_MS)
  }
  return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
}

function toRecord(partition: number, { key, value, headers, offset, timestamp }: KafkaMessage): TopicRecord {
  return {
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: decodeHeaders(headers ?? {}),
    partition,
    offset: Number(offset),
    sentAtMs: Number(timestamp),
  }
}

function decodeHeaders(headers: IHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
