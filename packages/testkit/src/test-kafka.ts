import { randomUUID } from 'node:crypto'
import { type ReadTopicOptions, readTopic, type TopicRecord } from '@streamledger/engines'
import { Kafka, logLevel } from 'kafkajs'

export type TestKafka = {
  readonly brokers: string
  /** Creates a topic under a name that no other test has. */
  createTopic(partitions: number): Promise<string>
  /** Everything a read_committed consumer sees up to the end of now, or until it has seen `count` records. */
  readAll(topic: string, options?: ReadTopicOptions): Promise<TopicRecord[]>
}

export function createTestKafka(brokers: string): TestKafka {
  const kafka = new Kafka({ clientId: 'test', brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  return {
    brokers,
    createTopic: async (partitions) => {
      const topic = `test-${randomUUID()}`
      const admin = kafka.admin()
      await admin.connect()
      try {
        await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true })
      } finally {
        await admin.disconnect()
      }
      return topic
    },
    readAll: (topic, options) => readTopic(brokers, topic, options),
  }
}
