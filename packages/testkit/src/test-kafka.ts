import { randomUUID } from 'node:crypto'
import { type ReadTopicOptions, readTopic, type TopicRecord } from '@streamledger/engines'
import kafkajs, { type Admin, Kafka, logLevel, type Message } from 'kafkajs'
import { waitFor } from './wait-for.ts'

export type TestKafka = {
  readonly brokers: string
  /** Creates a topic with a unique name, and with these settings. */
  createTopic(partitions: number, settings?: Record<string, string>): Promise<string>
  /** Deletes a topic and creates another one of the same name. */
  createTopicAnew(topic: string, partitions: number): Promise<void>
  /** Gives a topic these settings; all others become the broker's. */
  configure(topic: string, settings: Record<string, string>): Promise<void>
  /** Adds partitions to a topic, as another tool might. */
  addPartitions(topic: string, count: number): Promise<void>
  /** Writes records into a topic's first partition, as another program might. */
  write(topic: string, records: readonly Pick<Message, 'key' | 'value' | 'headers'>[]): Promise<void>
  /** Removes all records of a topic, as retention would. */
  removeRecords(topic: string): Promise<void>
  /** All records that a read_committed consumer sees, up to the current end or until it has seen `count` records. */
  readAll(topic: string, options?: ReadTopicOptions): Promise<TopicRecord[]>
}

export function createTestKafka(brokers: string): TestKafka {
  const kafka = new Kafka({ clientId: 'test', brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  async function withAdmin(use: (admin: Admin) => Promise<unknown>): Promise<void> {
    const admin = kafka.admin()
    await admin.connect()
    try {
      await use(admin)
    } finally {
      await admin.disconnect()
    }
  }
  return {
    brokers,
    createTopic: async (partitions, settings = {}) => {
      const topic = `test-${randomUUID()}`
      await withAdmin((admin) => makeTopic(admin, topic, partitions, settings))
      return topic
    },
    createTopicAnew: (topic, partitions) =>
      withAdmin(async (admin) => {
        await admin.deleteTopics({ topics: [topic] })
        await waitFor(async () => !(await admin.listTopics()).includes(topic))
        await makeTopic(admin, topic, partitions)
      }),
    configure: (topic, settings) =>
      withAdmin((admin) => {
        const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries: entriesOf(settings) }
        return admin.alterConfigs({ validateOnly: false, resources: [resource] })
      }),
    addPartitions: (topic, count) =>
      withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] })),
    write: async (topic, records) => {
      const producer = kafka.producer()
      await producer.connect()
      try {
        await producer.send({ topic, messages: records.map((record) => ({ ...record, partition: 0 })) })
      } finally {
        await producer.disconnect()
      }
    },
    removeRecords: (topic) =>
      withAdmin(async (admin) => {
        const ends = await admin.fetchTopicOffsets(topic)
        const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }))
        await admin.deleteTopicRecords({ topic, partitions })
      }),
    readAll: (topic, options) => readTopic(brokers, topic, options),
  }
}

/** kafkajs waits for the leaders only as long as the broker that it asks knows the topic already. */
async function makeTopic(
  admin: Admin,
  topic: string,
  partitions: number,
  settings: Record<string, string> = {},
): Promise<void> {
  const topics = [{ topic, numPartitions: partitions, configEntries: entriesOf(settings) }]
  await admin.createTopics({ topics, waitForLeaders: false })
  await waitFor(() => admin.fetchTopicOffsets(topic))
}

const entriesOf = (settings: Record<string, string>) =>
  Object.entries(settings).map(([name, value]) => ({ name, value }))
