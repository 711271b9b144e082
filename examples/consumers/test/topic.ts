import { randomUUID } from 'node:crypto'
import { claimInstallation } from '@streamledger/db'
import { partitionFor, transactionPosted } from '@streamledger/events'
import type { TestDatabase } from '@streamledger/testkit'
import { Kafka, logLevel, type Message } from 'kafkajs'

const PARTITIONS = 3
const WALLETS = 5

/** One installation, without a ledger: its outbox is filled by hand, and a real relay empties it. */
export interface Topic {
  name: string
  relayEnv: Record<string, string>
  /** Puts the next `count` events of each wallet into the outbox; returns how many these are. */
  post(count: number): Promise<number>
  waiting(): Promise<number>
  /** Writes events past the relay, in a transaction. */
  write(events: readonly Message[], outcome: 'commit' | 'abort'): Promise<void>
  /** The event of a wallet with this sequence. */
  eventOf(wallet: number, sequence: number): Message
}

export async function makeTopic({ pool, url }: TestDatabase, brokers: string): Promise<Topic> {
  const installationId = randomUUID()
  const name = `consumers-${installationId}`
  await claimInstallation(pool, { installationId, topic: name, partitions: PARTITIONS })
  const rowOf = (wallet: number, sequence: number) =>
    transactionPosted(
      {
        ...{ id: wallet * 10_000 + sequence, user_id: wallet, wallet_id: wallet, sequence, entry: 'credit', amount: 1 },
        ...{ balance: sequence, currency: 'NGN', trans_id: `t-${sequence}`, created_at: new Date() },
      },
      { source: `urn:streamledger:${installationId}`, partitions: PARTITIONS },
    )
  let posted = 0
  return {
    name,
    relayEnv: {
      ...{ DATABASE_URL: url, KAFKA_BROKERS: brokers, KAFKA_TOPIC: name, INSTALLATION_ID: installationId },
      ...{ TOPIC_PARTITIONS: String(PARTITIONS), RELAY_BATCH_ROWS_MAX: '20' },
    },
    async post(count) {
      for (let sequence = posted + 1; sequence <= posted + count; sequence += 1) {
        for (let wallet = 1; wallet <= WALLETS; wallet += 1) {
          const { partition, key, payload, headers } = rowOf(wallet, sequence)
          await pool.query('insert into outbox (partition, key, payload, headers) values ($1, $2, $3, $4)', [
            ...[partition, key, payload, headers],
          ])
        }
      }
      posted += count
      return count * WALLETS
    },
    waiting: async () => (await pool.query('select count(*)::int as rows from outbox')).rows[0].rows,
    write: (events, outcome) => write(brokers, { topic: name, events, outcome }),
    eventOf(wallet, sequence) {
      const { key, payload, headers } = rowOf(wallet, sequence)
      return { key, value: payload, headers: JSON.parse(headers), partition: partitionFor(key, PARTITIONS) }
    },
  }
}

interface Writing {
  topic: string
  events: readonly Message[]
  outcome: 'commit' | 'abort'
}

async function write(brokers: string, { topic, events, outcome }: Writing): Promise<void> {
  const kafka = new Kafka({ clientId: 'forge', brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1 })
  await producer.connect()
  try {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [...events] })
    await transaction[outcome]()
  } finally {
    await producer.disconnect()
  }
}
