import { Kafka, logLevel, type Message, type PartitionerArgs, type Producer, type Transaction } from 'kafkajs'
import type { Ledger } from './ledger.ts'

export interface ForgedRecord extends Message {
  partition: number
}

const connect = (brokers: string): Kafka =>
  new Kafka({ clientId: 'forge', brokers: brokers.split(','), logLevel: logLevel.NOTHING })

/** Each record goes where it says. */
const createPartitioner =
  () =>
  ({ message }: PartitionerArgs) =>
    message.partition as number

async function withTransaction<T>(
  { env, topic }: Ledger,
  use: (transaction: Transaction, producer: Producer) => Promise<T>,
): Promise<T> {
  const producer = connect(env.KAFKA_BROKERS as string).producer({
    transactionalId: `${topic.name}-${Math.random()}`,
    maxInFlightRequests: 1,
    createPartitioner,
  })
  await producer.connect()
  try {
    return await use(await producer.transaction(), producer)
  } finally {
    await producer.disconnect()
  }
}

/** Writes records into the topic, committed or aborted. */
export async function write(ledger: Ledger, records: readonly ForgedRecord[], outcome: 'commit' | 'abort' = 'commit') {
  await withTransaction(ledger, async (transaction) => {
    for (const partition of new Set(records.map((record) => record.partition))) {
      const messages = records.filter((record) => record.partition === partition)
      await transaction.send({ topic: ledger.topic.name, messages })
    }
    await transaction[outcome]()
  })
}

/** Without a transaction, whose mark would bear the broker's own time: for records of another day. */
async function writePlainly({ env, topic }: Ledger, messages: ForgedRecord[]): Promise<void> {
  const producer = connect(env.KAFKA_BROKERS as string).producer({ createPartitioner })
  await producer.connect()
  await producer.send({ topic: topic.name, messages })
  await producer.disconnect()
}

/** Runs `use` while a transaction holds records back from every read_committed reader of the partition. */
export async function withOpenTransaction(ledger: Ledger, record: ForgedRecord, use: () => Promise<void>) {
  await withTransaction(ledger, async (transaction) => {
    await transaction.send({ topic: ledger.topic.name, messages: [record] })
    await use()
    await transaction.abort()
  })
}

/** The outbox as records, in order; `at`: when the relay would have written them. */
export async function readOutbox({ pool }: Ledger, at?: Date): Promise<ForgedRecord[]> {
  const { rows } = await pool.query('select partition, key, payload, headers from outbox order by partition, id')
  return rows.map(({ partition, key, payload, headers }) => ({
    ...{ partition, key, value: payload, headers },
    ...(at && { timestamp: String(at.getTime()) }),
  }))
}

/** What a relay does, without its guards: everything that waits goes into the topic and out of the outbox. */
export async function publishOutbox(
  ledger: Ledger,
  { at, change = (records) => records }: { at?: Date; change?: (records: ForgedRecord[]) => ForgedRecord[] } = {},
): Promise<ForgedRecord[]> {
  const records = change(await readOutbox(ledger, at))
  await (at ? writePlainly(ledger, records) : write(ledger, records))
  await ledger.pool.query('delete from outbox')
  return records
}

/** Removes a partition's records below an offset, as retention does. */
export async function removeBefore({ env, topic }: Ledger, partition: number, offset: number): Promise<void> {
  const admin = connect(env.KAFKA_BROKERS as string).admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic.name) // kafkajs deletes only from a topic that it has heard of
  await admin.deleteTopicRecords({ topic: topic.name, partitions: [{ partition, offset: String(offset) }] })
  await admin.disconnect()
}
