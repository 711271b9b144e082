import { randomUUID } from 'node:crypto'
import { type ReadTopicOptions, readTopic, type TopicRecord } from '@streamledger/engines'
import kafkajs, { type Admin, Kafka, logLevel, type Message } from 'kafkajs'

export type TestKafka = {
  readonly brokers: string
  /** Creates a topic with a unique name, and with these settings. */
  createTopic(partitions: number, settings?: Record<string, string>): Promise<string>
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
      const topics = [{ topic, numPartitions: partitions, configEntries: entriesOf(settings) }]
      await withAdmin((admin) => admin.createTopics({ topics, waitForLeaders: true }))
      return topic
    },
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

const entriesOf = (settings: Record<string, string>) =>
  Object.entries(settings).map(([name, value]) => ({ name, value }))
