import kafkajs, { type Admin } from 'kafkajs'

/** The topic for events, with the settings that the delivery promise needs. */
export interface WantedTopic {
  topic: string
  partitions: number
  replicationFactor: number
  /** The relay's RELAY_BATCH_BYTES_MAX. */
  batchBytesMax: number
}

/** A topic as it is in Kafka. */
export interface TopicState {
  partitions: number
  /** The smallest number of replicas of any partition. */
  replicationFactor: number
  config: ReadonlyMap<string, string>
}

/** Factor for the overhead of a record batch over its payloads and headers. */
const ROOM = 2
const REPLICATION_FACTOR = 3

/** The minimum of max.message.bytes, so that a batch of the relay fits. */
export const messageBytesMin = (batchBytesMax: number): number => ROOM * batchBytesMax

/** The settings of a new topic. */
export function settingsOf({ replicationFactor, batchBytesMax }: WantedTopic): ReadonlyMap<string, string> {
  return new Map([
    ['cleanup.policy', 'delete'],
    ['retention.ms', '-1'],
    ['retention.bytes', '-1'],
    ['max.message.bytes', String(messageBytesMin(batchBytesMax))],
    ['min.insync.replicas', String(Math.max(1, replicationFactor - 1))],
    ['unclean.leader.election.enable', 'false'],
  ])
}

/**
 * Copies of each partition of a new topic: as configured, else 3, or one per broker if there are fewer. With 3 copies the
 * loss of a broker loses nothing; with one broker more than one copy cannot be made.
 */
export async function chooseReplicationFactor(admin: Admin, configured: number | undefined): Promise<number> {
  if (configured !== undefined) return configured
  const { brokers } = await admin.describeCluster()
  return Math.max(1, Math.min(REPLICATION_FACTOR, brokers.length))
}

/** Creates the topic. False: it already exists, and is not changed. */
export async function createTopic(admin: Admin, wanted: WantedTopic): Promise<boolean> {
  const { topic, partitions, replicationFactor } = wanted
  if ((await admin.listTopics()).includes(topic)) return false
  const configEntries = [...settingsOf(wanted)].map(([name, value]) => ({ name, value }))
  try {
    return await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }],
    })
  } catch (error) {
    if (isAlreadyThere(error)) return false // another process was faster
    throw error
  }
}

/** Undefined: there is no such topic. */
export async function readTopicState(admin: Admin, topic: string): Promise<TopicState | undefined> {
  if (!(await admin.listTopics()).includes(topic)) return undefined
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const partitions = topics[0]?.partitions ?? []
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  const entries = resources[0]?.configEntries ?? []
  return {
    partitions: partitions.length,
    replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    config: new Map(entries.map(({ configName, configValue }) => [configName, configValue])),
  }
}

function isAlreadyThere(error: unknown): boolean {
  const { type, message, errors = [] } = error as { type?: string; message?: string; errors?: unknown[] }
  return type === 'TOPIC_ALREADY_EXISTS' || /already exists/i.test(message ?? '') || errors.some(isAlreadyThere)
}
