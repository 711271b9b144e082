import kafkajs, { type Admin } from 'kafkajs'

/** The topic of the events, as the promise needs it. */
export interface WantedTopic {
  topic: string
  partitions: number
  replicationFactor: number
  /** Of the relay's batches: RELAY_BATCH_BYTES_MAX. */
  batchBytesMax: number
}

/** A topic as Kafka has it. */
export interface TopicState {
  partitions: number
  /** Of the partition that has the fewest copies. */
  replicationFactor: number
  config: ReadonlyMap<string, string>
}

/** A record batch is larger than the payloads and headers that it is made of. */
const ROOM = 2
const REPLICATION_FACTOR = 3

/** What max.message.bytes must be at least, so that a batch of the relay fits whole. */
export const messageBytesMin = (batchBytesMax: number): number => ROOM * batchBytesMax

/** The settings that a topic is made with. */
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

/** Makes the topic; false: there is one, which is left as it is. */
export async function createTopic(admin: Admin, wanted: WantedTopic): Promise<boolean> {
  const { topic, partitions, replicationFactor } = wanted
  if ((await admin.listTopics()).includes(topic)) return false
  const configEntries = [...settingsOf(wanted)].map(([name, value]) => ({ name, value }))
  try {
    return await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }],
    })
  } catch (error) {
    if (isAlreadyThere(error)) return false // somebody else was faster
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
