import { expect, type TestDatabase, type TestKafka, test, waitFor } from '@streamledger/testkit'
import { Kafka as KafkaClient, logLevel } from 'kafkajs'
import type { Batch } from '../src/publisher.ts'
import { makeOpenBatch, readHalt, readOutbox, run } from './lane.ts'
import { openKafka } from './open-kafka.ts'

/** A lane with batch 7 open, on a partition of a real topic in which batch 6 lies, and batch 7 if it was sent. */
async function makeDeletable(database: TestDatabase, reader: TestKafka, { isSent }: { isSent: boolean }) {
  const open = await makeOpenBatch(database)
  const { partition } = open
  const topic = await reader.createTopic(partition + 1)
  const kafka = await openKafka(reader.brokers, topic)
  const publisher = await kafka.openPublisher(partition)
  const batches: Batch[] = [{ ...open.batch, seq: open.batch.seq - 1, batchId: open.before.batchId }]
  if (isSent) batches.push(open.batch)
  const offsets: number[] = []
  for (const batch of batches) {
    const receipt = await publisher.publish(batch, 0)
    await waitFor(async () => expect((await kafka.look([partition])).get(partition)).toMatchObject({ receipt }))
    offsets.push(receipt.offset)
  }
  await publisher.discard()
  await database.pool.query('update relay_partitions set next_offset = $2 where partition = $1', [
    partition,
    offsets[0],
  ])
  /** Deletes what is before an offset, as retention does. */
  const deleteRecords = async (offset: number): Promise<void> => {
    const admin = new KafkaClient({ brokers: [reader.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.fetchTopicOffsets(topic) // kafkajs forgets to ask who leads before it deletes
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
    await admin.disconnect()
  }
  return { open, topic, kafka, lastOffset: offsets.at(-1) as number, deleteRecords }
}

test('a partition halts when the records that would show its open batch were deleted, and tells', async ({
  database,
  kafka: reader,
}) => {
  const { open, kafka, lastOffset, deleteRecords } = await makeDeletable(database, reader, { isSent: true })
  await deleteRecords(lastOffset)
  await run(database, open, kafka, { stepTimeoutMs: 5_000 }).ended
  expect(await readHalt(database, open)).toMatch(/is not in the topic from offset \d+ on, and the records from \d+ to/)
  expect(await readOutbox(database, open)).toEqual(['in batch 7', 'after it'])
  await kafka.close()
}, 60_000)

test('a partition goes on when all of it was deleted, and its open batch had no room in what was', async ({
  database,
  kafka: reader,
}) => {
  const { open, topic, kafka, deleteRecords } = await makeDeletable(database, reader, { isSent: false })
  // Also the mark of batch 6, which lies after the offset from where on batch 7 would be looked for.
  await deleteRecords(await kafka.readEndOffset(open.partition))
  const lane = run(database, open, kafka, { stepTimeoutMs: 5_000 })
  await waitFor(async () => expect(await readOutbox(database, open)).toEqual([]))
  lane.stop.abort()
  await lane.ended
  expect(await readHalt(database, open)).toBeNull()
  expect((await reader.readAll(topic)).map(({ value }) => value)).toEqual(['in batch 7', 'after it'])
  await kafka.close()
}, 60_000)
