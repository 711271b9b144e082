import { expect, test, waitFor } from '@streamledger/testkit'
import { Kafka as KafkaClient, logLevel } from 'kafkajs'
import { makeOpenBatch, readHalt, readOutbox, run } from './lane.ts'
import { openKafka } from './open-kafka.ts'

test('a partition halts when the records that would show its open batch were deleted, and tells', async ({
  database,
  kafka: reader,
}) => {
  const topic = await reader.createTopic(2)
  const open = await makeOpenBatch(database)
  expect(open.partition).toBe(1)
  const kafka = await openKafka(reader.brokers, topic)
  const publisher = await kafka.openPublisher(1)
  await publisher.publish({ ...open.batch, seq: open.batch.seq - 1, batchId: open.before.batchId })
  const receipt = await publisher.publish(open.batch)
  await database.pool.query('update relay_partitions set next_offset = $2 where partition = $1', [
    open.partition,
    receipt.offset - 2,
  ])
  await waitFor(async () => expect((await kafka.look()).get(1)).toMatchObject({ receipt }))
  await publisher.discard()
  const admin = new KafkaClient({ brokers: [reader.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic) // kafkajs forgets to ask who leads before it deletes
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: String(receipt.offset) }] })
  await admin.disconnect()

  const lane = run(database, open, kafka, { stepTimeoutMs: 5_000 })
  await lane.ended
  expect(await readHalt(database, open)).toMatch(/is not in the topic from offset \d+ on, and the records from \d+ to/)
  expect(await readOutbox(database, open)).toEqual(['in batch 7', 'after it'])
  await kafka.close()
}, 60_000)
