import {
  chooseReplicationFactor,
  createKafka,
  createTopic,
  isolateFailures,
  type KafkaAccess,
  readTopicState,
  type TopicState,
  type WantedTopic,
} from '@streamledger/kafka'
import kafkajs, { type Admin, logLevel } from 'kafkajs'
import { CliError } from '../errors.ts'
import { isKafkaError } from '../is-kafka-error.ts'

const CONNECT_TIMEOUT_MS = 3_000
const REQUEST_TIMEOUT_MS = 10_000
const RETRY = { retries: 3, initialRetryTime: 100, maxRetryTime: 500 }

/** The brokers' own settings, which decide whether Kafka keeps receipts and transactions. No command can set them. */
export type BrokerSettings = ReadonlyMap<string, string>

/** What the commands about the topic need from Kafka. */
export interface KafkaAdmin {
  /** Copies of each partition of a new topic: as configured, or by the number of brokers. */
  chooseReplicationFactor(configured: number | undefined): Promise<number>
  /** Creates the topic. Returns false if it exists; an existing topic is not changed. */
  createTopic(wanted: WantedTopic): Promise<boolean>
  readTopic(topic: string): Promise<TopicState | undefined>
  /** Raises the number of partitions to `count`. */
  addPartitions(topic: string, count: number): Promise<void>
  readClusterId(): Promise<string>
  /** The number of brokers, and the settings of one of them. */
  readBrokers(): Promise<{ brokers: number; settings: BrokerSettings }>
}

/**
 * Opens an admin connection for one use, and turns errors of Kafka into messages for the user.
 *
 * @throws CliError `unavailable`
 */
export async function withKafkaAdmin<T>(access: KafkaAccess, use: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const kafka = createKafka({
    ...access,
    clientId: 'streamledger-cli',
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logLevel: logLevel.NOTHING,
  })
  // It asks for all topics of the cluster, and one of their partitions may have no leader.
  isolateFailures(kafka)
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await use({
      chooseReplicationFactor: (configured) => chooseReplicationFactor(admin, configured),
      createTopic: (wanted) => createTopic(admin, wanted),
      readTopic: (topic) => readTopicState(admin, topic),
      addPartitions: async (topic, count) => {
        await admin.createPartitions({ topicPartitions: [{ topic, count }] })
      },
      readClusterId: async () => (await admin.describeCluster()).clusterId,
      readBrokers: () => readBrokers(admin),
    })
  } catch (error) {
    throw explain(access, error)
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

async function readBrokers(admin: Admin) {
  const { brokers } = await admin.describeCluster()
  const name = String(brokers[0]?.nodeId)
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.BROKER, name }],
  })
  const entries = resources[0]?.configEntries ?? []
  return {
    brokers: brokers.length,
    settings: new Map(entries.map(({ configName, configValue }) => [configName, configValue])),
  }
}

/** Other errors are our own, or come from Postgres. */
function explain({ brokers }: KafkaAccess, error: unknown): unknown {
  if (!isKafkaError(error)) return error
  const { message } = error as Error
  const text = `Kafka at ${brokers.join(', ')} cannot be reached, or refuses the request (${message}). Is it running, and is KAFKA_BROKERS right?`
  return new CliError('unavailable', text, { cause: error })
}
