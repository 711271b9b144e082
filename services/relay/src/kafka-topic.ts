import {
  chooseReplicationFactor,
  createTopic,
  describeDifference,
  findDifference,
  isolateFailures,
  type KafkaAccess,
  type KafkaIdentity,
  messageBytesMin,
  readTopicState,
  type TopicState,
  type WantedTopic,
} from '@streamledger/kafka'
import { type Logger, sleep } from '@streamledger/runtime'
import type { Admin } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { createKafkaClient } from './kafka-client.ts'
import { type KafkaVersion, readKafkaVersion } from './kafka-version.ts'
import { OtherClusterError } from './publisher.ts'

/** `partitions` comes from the database. */
interface TopicOptions extends WantedTopic {
  access: KafkaAccess
  stepTimeoutMs: number
  /** The Kafka that has the events; undefined: not recorded yet. */
  pinned?: KafkaIdentity | undefined
}

/** As configured: without a replication factor, the number of brokers decides. */
export interface TopicSettings extends Omit<TopicOptions, 'replicationFactor'> {
  replicationFactor: number | undefined
}

/** The topic cannot be used. The message says what to do; waiting does not help. */
export class TopicError extends Error {
  override name = 'TopicError'
}

const LEADERS_POLL_MS = 100

/** They hold transaction states and receipts. Kafka creates them on first use. */
const INTERNAL_TOPICS = ['__transaction_state', '__consumer_offsets']

/** Creates the topic if it is missing, and checks that its settings are safe for the relay. */
export async function prepareTopic({ replicationFactor, ...others }: TopicSettings, logger: Logger): Promise<void> {
  const { access, stepTimeoutMs } = others
  const { kafka, cutOff } = createKafkaClient(access, logger, stepTimeoutMs)
  // The relay starts also while a partition, of any topic, has no leader.
  isolateFailures(kafka)
  const admin = kafka.admin()
  try {
    await withDeadline('connecting to Kafka', stepTimeoutMs, admin.connect())
    const options = { ...others, replicationFactor: await chooseReplicationFactor(admin, replicationFactor) }
    await checkVersion(options, logger)
    await checkCluster(admin, options)
    await makeTopic(admin, options, logger)
    const state = await readTopicState(admin, options.topic)
    if (!state) throw new Error(`topic ${options.topic} was made and is not there yet`)
    checkPartitions(state, options)
    checkConfig(state, options)
    for (const topic of [options.topic, ...INTERNAL_TOPICS]) await checkCopies(admin, topic, options, logger)
  } finally {
    // Otherwise each try to reach a broker that does not answer would leave a connection.
    cutOff()
    await withDeadline('disconnecting from Kafka', stepTimeoutMs, admin.disconnect()).catch(() => {})
  }
}

async function checkVersion({ access, stepTimeoutMs }: TopicOptions, logger: Logger): Promise<void> {
  const { brokers } = access
  const how = { ...access, timeoutMs: stepTimeoutMs }
  const asked = await Promise.allSettled(brokers.map((broker) => readKafkaVersion(broker, how)))
  // A broker that does not answer may be down; one answer is enough.
  const answered = asked.find(({ status }) => status === 'fulfilled')
  if (!answered) throw new Error(`no broker of ${brokers.join(', ')} answered with its version`, { cause: asked[0] })
  const whose = (is: (version: KafkaVersion) => boolean | undefined): string[] =>
    brokers.filter((_, index) => asked[index]?.status === 'fulfilled' && is(asked[index].value))
  const old = whose(({ isKafka4 }) => !isKafka4)
  if (old.length > 0) {
    throw new TopicError(
      `${old.join(', ')}: Kafka is older than 4.0, where a receipt may be read too early; upgrade it`,
    )
  }
  const affected = whose(({ mayLeaveMarkOut }) => mayLeaveMarkOut)
  if (affected.length > 0) {
    logger.warn(
      { brokers: affected },
      'Kafka is 4.3 or 4.4: 4.3.x and 4.4.0 can lose a commit that they acknowledged (KAFKA-20734); see docs/runbook.md',
    )
  }
}

/** Before anything is changed there. */
async function checkCluster(admin: Admin, { pinned }: TopicOptions): Promise<void> {
  const met = { clusterId: (await admin.describeCluster()).clusterId, topicId: pinned?.topicId }
  if (pinned && findDifference(pinned, met)) throw new OtherClusterError(describeDifference(pinned, met))
}

async function makeTopic(admin: Admin, options: TopicOptions, logger: Logger): Promise<void> {
  const { topic, partitions, replicationFactor } = options
  if (!(await createTopic(admin, options))) return
  logger.info({ topic, partitions, replicationFactor }, 'topic created')
  await awaitLeaders(admin, options)
}

/** A new topic has no leaders for a moment; after the deadline the lanes wait for theirs. */
async function awaitLeaders(admin: Admin, { topic, stepTimeoutMs }: TopicOptions): Promise<void> {
  const deadline = performance.now() + stepTimeoutMs
  while (performance.now() < deadline) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    if (topics[0]?.partitions.every(({ leader }) => leader >= 0)) return
    await sleep(LEADERS_POLL_MS)
  }
}

/** Fails if partitions are missing. watch-partitions.ts reports extra ones. */
function checkPartitions(state: TopicState, { topic, partitions }: TopicOptions): void {
  const found = state.partitions
  if (found < partitions) {
    throw new TopicError(
      `topic ${topic} has ${found} partitions and the database posts to ${partitions}: add the missing ones`,
    )
  }
}

function checkConfig({ config }: TopicState, options: TopicOptions): void {
  const [fault] = findConfigFaults(config, options)
  if (fault) throw new TopicError(fault)
}

type Judged = Pick<TopicOptions, 'topic' | 'batchBytesMax'>

/** With these settings events would be dropped or refused. */
function findConfigFaults(config: TopicState['config'], { topic, batchBytesMax }: Judged): string[] {
  const faults: string[] = []
  const bytesMax = Number(config.get('max.message.bytes'))
  const wanted = messageBytesMin(batchBytesMax)
  if (!(bytesMax >= wanted)) {
    faults.push(
      `topic ${topic} accepts at most ${bytesMax} bytes per message: raise its max.message.bytes to ${wanted}, or lower RELAY_BATCH_BYTES_MAX`,
    )
  }
  if (config.get('cleanup.policy') !== 'delete') {
    faults.push(`topic ${topic} is compacted, which would drop events: set its cleanup.policy to delete`)
  }
  return faults
}

/** Looks again, over a new connection: the settings may be altered while the relay runs. */
export async function lookAtSettings(
  { access, stepTimeoutMs, ...judged }: Judged & Pick<TopicOptions, 'access' | 'stepTimeoutMs'>,
  logger: Logger,
): Promise<string[]> {
  const { kafka, cutOff } = createKafkaClient(access, logger, stepTimeoutMs)
  isolateFailures(kafka)
  const admin = kafka.admin()
  const read = async (): Promise<TopicState | undefined> => {
    await admin.connect()
    return readTopicState(admin, judged.topic)
  }
  try {
    const state = await withDeadline("reading the topic's settings", stepTimeoutMs, read())
    return state ? findConfigFaults(state.config, judged) : []
  } finally {
    cutOff()
    await withDeadline('disconnecting from Kafka', stepTimeoutMs, admin.disconnect()).catch(() => {})
  }
}

/**
 * "Exactly once" needs all three topics to keep their data; the relay can only detect a loss. Warns about weak
 * settings.
 */
async function checkCopies(
  admin: Admin,
  topic: string,
  { replicationFactor }: TopicOptions,
  logger: Logger,
): Promise<void> {
  const state = await readTopicState(admin, topic)
  if (!state) return
  const { config } = state
  if (state.replicationFactor < replicationFactor) {
    const copies = state.replicationFactor
    logger.warn({ topic, copies, wanted: replicationFactor }, 'a topic has fewer copies than TOPIC_REPLICATION_FACTOR')
  }
  const inSync = Number(config.get('min.insync.replicas'))
  if (inSync < replicationFactor - 1) {
    logger.warn(
      { topic, inSync, wanted: replicationFactor - 1 },
      'min.insync.replicas is low: Kafka may acknowledge records that only one broker has',
    )
  }
  if (config.get('unclean.leader.election.enable') === 'true') {
    logger.warn({ topic }, 'unclean leader election is on: Kafka may lose acknowledged records')
  }
}
