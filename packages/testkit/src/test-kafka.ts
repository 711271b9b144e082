import { randomUUID } from 'node:crypto'
import { type ReadTopicOptions, readTopic, type TopicRecord } from '@streamledger/engines'
import { type Admin, Kafka, logLevel } from 'kafkajs'

export type TestKafka = {
  readonly brokers: string
  /** Creates a topic under a name that no other test has. */
  createTopic(partitions: number): Promise<string>
  /** Gives a topic more partitions, as somebody else might. */
  addPartitions(topic: string, count: number): Promise<void>
  /** Everything a read_committed consumer sees up to the end of now, or until it has seen `count` records. */
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
    createTopic: async (partitions) => {
      const topic = `test-${randomUUID()}`
      const topics = [{ topic, numPartitions: partitions }]
      await withAdmin((admin) => admin.createTopics({ topics, waitForLeaders: true }))
      return topic
    },
    addPartitions: (topic, count) =>
      withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] })),
    readAll: (topic, options) => readTopic(brokers, topic, options),
  }
}
