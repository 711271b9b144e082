import type { Logger } from '@streamledger/runtime'
import kafkajs, { type Admin } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { createKafkaClient } from './kafka-client.ts'
import { type KafkaVersion, readKafkaVersion } from './kafka-version.ts'

export interface TopicOptions {
  brokers: string[]
  topic: string
  /** As the database says. */
  partitions: number
  replicationFactor: number
  batchBytesMax: number
  stepTimeoutMs: number
}

/** What kept the relay from using the topic; it says what to do. */
export class TopicError extends Error {
  override name = 'TopicError'
}

/** A record batch is larger than the payloads and headers that it is made of. */
const ROOM = 2

/** Makes the topic if there is none, and holds an existing one to what the protocol rests on. */
export async function prepareTopic(options: TopicOptions, logger: Logger): Promise<void> {
  const admin = createKafkaClient(options.brokers, logger, options.stepTimeoutMs).admin()
  try {
    await withDeadline('connecting to Kafka', options.stepTimeoutMs, admin.connect())
    await checkVersion(options, logger)
    await createTopic(admin, options, logger)
    await checkPartitions(admin, options, logger)
    await checkConfig(admin, options, logger)
  } finally {
    await withDeadline('disconnecting from Kafka', options.stepTimeoutMs, admin.disconnect()).catch(() => {})
  }
}

async function checkVersion({ brokers, stepTimeoutMs }: TopicOptions, logger: Logger): Promise<void> {
  const asked = await Promise.allSettled(brokers.map((broker) => readKafkaVersion(broker, stepTimeoutMs)))
  // One that does not answer may be down, which the others make up for; if none does, nothing is known.
  const answered = asked.find(({ status }) => status === 'fulfilled')
  if (!answered) throw new Error(`no broker of ${brokers.join(', ')} tells its version`, { cause: asked[0] })
  const whose = (is: (version: KafkaVersion) => boolean | undefined): string[] =>
    brokers.filter((_, index) => asked[index]?.status === 'fulfilled' && is(asked[index].value))
  const old = whose(({ isKafka4 }) => !isKafka4)
  if (old.length > 0) {
    throw new TopicError(
      `${old.join(', ')}: this is Kafka older than 4.0, where a receipt may be read too early; upgrade it`,
    )
  }
  const affected = whose(({ mayLeaveMarkOut }) => mayLeaveMarkOut)
  if (affected.length > 0) {
    logger.warn(
      { brokers: affected },
      'this is Kafka 4.3 or 4.4: 4.3.x and 4.4.0 can lose a commit that they acknowledged (KAFKA-20734); see docs/runbook.md',
    )
  }
}

async function createTopic(admin: Admin, options: TopicOptions, logger: Logger): Promise<void> {
  const { topic, partitions, replicationFactor, batchBytesMax } = options
  if ((await admin.listTopics()).includes(topic)) return
  const configEntries = [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'retention.ms', value: '-1' },
    { name: 'retention.bytes', value: '-1' },
    { name: 'max.message.bytes', value: String(ROOM * batchBytesMax) },
    { name: 'min.insync.replicas', value: String(Math.max(1, replicationFactor - 1)) },
    { name: 'unclean.leader.election.enable', value: 'false' },
  ]
  const made = await admin
    .createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }] })
    .catch((error) => {
      // Another replica was faster.
      if (error?.type === 'TOPIC_ALREADY_EXISTS' || /already exists/i.test(String(error?.message))) return false
      throw error
    })
  if (made) logger.info({ topic, partitions, replicationFactor }, 'topic created')
}

async function checkPartitions(admin: Admin, { topic, partitions }: TopicOptions, logger: Logger): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const found = topics[0]?.partitions.length ?? 0
  if (found < partitions) {
    throw new TopicError(
      `topic ${topic} has ${found} partitions and the database posts to ${partitions}: add the missing ones`,
    )
  }
  if (found > partitions) {
    logger.error(
      { topic, found, partitions },
      'the topic has partitions that the database does not know: they get no rows',
    )
  }
}

async function checkConfig(admin: Admin, { topic, batchBytesMax }: TopicOptions, logger: Logger): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  const config = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]))
  const bytesMax = Number(config.get('max.message.bytes'))
  if (!(bytesMax >= ROOM * batchBytesMax)) {
    throw new TopicError(
      `topic ${topic} takes ${bytesMax} bytes at most: raise its max.message.bytes to ${ROOM * batchBytesMax}, or lower RELAY_BATCH_BYTES_MAX`,
    )
  }
  if (config.get('cleanup.policy') !== 'delete') {
    throw new TopicError(`topic ${topic} is compacted, which would drop events: set its cleanup.policy to delete`)
  }
  if (config.get('unclean.leader.election.enable') === 'true') {
    logger.warn({ topic }, 'unclean leader election is on: Kafka may lose what it acknowledged')
  }
}
