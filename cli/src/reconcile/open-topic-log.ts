import {
  EARLIEST,
  type FetchedPartition,
  type InnerMessage,
  type KafkaAccess,
  LATEST,
  markOf,
} from '@streamledger/kafka'
import { backOffMs, sleep } from '@streamledger/runtime'
import { CliError } from '../errors.ts'
import { committedRecords, type RawRecord } from './committed-records.ts'
import { connectCluster, type KafkaCluster } from './kafka-cluster.ts'
import type { PartitionRange, TopicChunk, TopicLog, TopicRecord } from './topic-log.ts'

/** Consecutive failures before a request fails: enough for a broker that restarts for about ten seconds. */
const ATTEMPTS_MAX = 8
const BACK_OFF = { baseMs: 100, maxMs: 3_000 }

export interface TopicLogOptions {
  /** After it aborts, failed requests are not repeated. */
  signal?: AbortSignal
  /** The broker of the list with which it begins. */
  turn?: number
}

/** @throws CliError `unavailable` */
export async function openTopicLog(
  access: KafkaAccess,
  topic: string,
  { signal, turn: firstTurn = 0 }: TopicLogOptions = {},
): Promise<TopicLog> {
  let turn = firstTurn
  let cluster = await connectCluster(access, topic, turn).catch((error) => {
    throw explain(access.brokers, topic, error)
  })
  const ask = <T>(request: () => Promise<T>): Promise<T> =>
    askPatiently(() => cluster.refresh(), { brokers: access.brokers, topic, signal }, request)
  const each = async <T>(
    partitions: ReadonlySet<number> | undefined,
    request: (partition: number) => Promise<T>,
  ): Promise<T[]> => {
    const answers: T[] = []
    for (const partition of cluster.partitions()) {
      if (partitions?.has(partition) ?? true) answers.push(await ask(() => request(partition)))
    }
    return answers
  }
  return {
    identity: () => ask(() => cluster.identity()),
    partitions: () => cluster.partitions(),
    ranges: (partitions) => each(partitions, (partition) => readRange(cluster, partition)),
    range: (partition) => ask(() => readRange(cluster, partition)),
    async offsetsAt(instant, partitions) {
      const entries = await each(partitions, async (partition) => {
        const offset = await cluster.listOffset(partition, instant.getTime())
        return [partition, offset >= 0 ? offset : await cluster.listOffset(partition, LATEST)] as const
      })
      return new Map(entries)
    },
    async timeAt(partition, offset) {
      const { messages } = await ask(() => cluster.fetch(partition, offset))
      const first = messages.find((message) => Number(message.offset) >= offset)
      return first && new Date(Number(first.timestamp))
    },
    read: (partition, offsets) =>
      read({ partition, fetch: (offset) => ask(() => cluster.fetch(partition, offset)) }, offsets),
    async renew() {
      turn += 1
      const fresh = await connectCluster(access, topic, turn).catch(() => undefined)
      if (!fresh) return
      const old = cluster
      cluster = fresh
      await old.close().catch(() => {})
    },
    close: () => cluster.close(),
  }
}

async function readRange(cluster: KafkaCluster, partition: number): Promise<PartitionRange> {
  const end = await cluster.listOffset(partition, LATEST)
  return { partition, low: await cluster.listOffset(partition, EARLIEST), end }
}

interface PartitionSource {
  partition: number
  fetch(offset: number): Promise<FetchedPartition>
}

async function* read(source: PartitionSource, { from, to }: { from: number; to: number }): AsyncGenerator<TopicChunk> {
  let at = from
  let asked = at < to ? source.fetch(at) : undefined
  let empty = 0
  while (asked) {
    const fetched = await asked
    const messages = fetched.messages.filter(({ offset }) => Number(offset) >= at && Number(offset) < to)
    if (messages.length === 0) {
      empty += 1
      if (empty > ATTEMPTS_MAX)
        throw new CliError(
          'incomplete',
          `partition ${source.partition}: the broker returns nothing at offset ${at}, although the partition ends at ${to}. Try again; if this continues, the topic is damaged.`,
        )
      asked = source.fetch(at)
      continue
    }
    empty = 0
    const records = decode(source.partition, { ...fetched, messages }, at)
    at += messages.length
    // The next response is fetched while this one is processed.
    asked = at < to ? source.fetch(at) : undefined
    asked?.catch(() => {}) // it is awaited in the next turn, unless the reader has stopped by then
    yield { records, next: at }
  }
}

/** @throws CliError `incomplete` if an offset is missing: a record that was not returned cannot be compared. */
function decode(partition: number, { messages, abortedTransactions }: FetchedPartition, at: number): TopicRecord[] {
  const hole = messages.findIndex(({ offset }, index) => Number(offset) !== at + index)
  if (hole >= 0) {
    throw new CliError(
      'incomplete',
      `partition ${partition}: offset ${at + hole} is missing, the next one is ${messages[hole]?.offset}. A compacted topic cannot be compared. If retention removed records during the read, try again.`,
    )
  }
  const aborted = abortedTransactions.map(({ producerId, firstOffset }) => ({
    producerId,
    firstOffset: Number(firstOffset),
  }))
  return committedRecords(messages.map(toRaw), aborted).map(({ message, offset }) =>
    toRecord(partition, offset, message),
  )
}

function toRaw(message: InnerMessage): RawRecord & { message: InnerMessage } {
  const { offset, batchContext, isControlRecord } = message
  return {
    message,
    offset: Number(offset),
    producerId: batchContext.producerId,
    inTransaction: batchContext.inTransaction,
    isControl: isControlRecord,
    isAbort: markOf(message) === 'abort',
  }
}

function toRecord(partition: number, offset: number, { key, value, headers }: InnerMessage): TopicRecord {
  const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])
  return {
    partition,
    offset,
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: Object.fromEntries(texts),
  }
}

async function askPatiently<T>(
  refresh: () => Promise<void>,
  place: { brokers: string[]; topic: string; signal: AbortSignal | undefined },
  request: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request()
    } catch (error) {
      if (isOutOfRange(error)) {
        throw new CliError('incomplete', 'Retention removed a part of the topic while it was being read. Try again.', {
          cause: error,
        })
      }
      if (attempt >= ATTEMPTS_MAX || place.signal?.aborted) throw explain(place.brokers, place.topic, error)
      await sleep(backOffMs(attempt, BACK_OFF), place.signal)
      await refresh().catch(() => {}) // the next attempt reports the error
    }
  }
}

const isOutOfRange = (error: unknown): boolean =>
  (error as Error).name === 'KafkaJSOffsetOutOfRange' || (error as { type?: string }).type === 'OFFSET_OUT_OF_RANGE'

function explain(brokers: string[], topic: string, error: unknown): CliError {
  if (error instanceof CliError) return error
  const { message, type } = error as { message: string; type?: string }
  const place = brokers.join(', ')
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    const text = `Kafka at ${place} has no topic "${topic}", which the database names. Is KAFKA_BROKERS right? The relay creates the topic when it starts.`
    return new CliError('unsuitable', text, { cause: error })
  }
  const text = `Kafka at ${place} cannot be reached (${message}). Is it running, and is KAFKA_BROKERS right?`
  return new CliError('unavailable', text, { cause: error })
}
