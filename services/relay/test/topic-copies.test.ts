import { randomUUID } from 'node:crypto'
import { createLogger, type Logger } from '@streamledger/runtime'
import { expect, test } from '@streamledger/testkit'
import { prepareTopic } from '../src/kafka-topic.ts'
import { openKafka } from './open-kafka.ts'

test('copies that are fewer than configured are told of: of the topic, of transactions and of receipts', async ({
  kafka,
}) => {
  const topic = await kafka.createTopic(1)
  const silent = createLogger({ service: 'test', level: 'silent' })
  const options = { access: { brokers: [kafka.brokers] }, topic, stepTimeoutMs: 5_000 }
  // Kafka creates its internal topics on first use.
  const client = await openKafka(kafka.brokers, topic)
  const publisher = await client.openPublisher(0)
  await publisher.writeReceipt({ seq: 0, batchId: randomUUID(), offset: 0 })
  await publisher.discard()
  await client.close()

  const warnings: { topic: string; message: string }[] = []
  const logger = Object.assign(Object.create(silent), {
    warn: (fields: { topic: string }, message: string) => warnings.push({ topic: fields.topic, message }),
  }) as Logger
  const wanted = { ...options, partitions: 1, batchBytesMax: 1_000 }
  await prepareTopic({ ...wanted, replicationFactor: 1 }, logger)
  expect(warnings).toEqual([])
  await prepareTopic({ ...wanted, replicationFactor: 3 }, logger)
  for (const name of [topic, '__transaction_state', '__consumer_offsets']) {
    const own = warnings.filter((warning) => warning.topic === name).map(({ message }) => message)
    expect(own).toEqual([
      'a topic has fewer copies than TOPIC_REPLICATION_FACTOR',
      'min.insync.replicas is low: Kafka may acknowledge records that only one broker has',
    ])
  }
}, 60_000)
