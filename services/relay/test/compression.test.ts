import { randomUUID } from 'node:crypto'
import { createKafka } from '@streamledger/kafka'
import { expect, test } from '@streamledger/testkit'
import { CompressionTypes, logLevel } from 'kafkajs'
import { openKafka } from './open-kafka.ts'

const ROWS = 200

/** Records of another program, compressed by it. */
async function writeCompressed(brokers: string, topic: string, compression: CompressionTypes): Promise<void> {
  const producer = createKafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const messages = Array.from({ length: ROWS }, (_, row) => ({ value: JSON.stringify({ row, of: 'another' }) }))
  await producer.send({ topic, compression, messages })
  await producer.disconnect()
}

test.for(['gzip', 'snappy', 'lz4', 'zstd', 'producer', 'uncompressed'])(
  'a batch is found in a topic whose compression.type is %s, behind what another producer compressed',
  { timeout: 60_000 },
  async (type, { kafka }) => {
    const topic = await kafka.createTopic(1, { 'compression.type': type })
    await writeCompressed(kafka.brokers, topic, CompressionTypes.ZSTD)
    await writeCompressed(kafka.brokers, topic, CompressionTypes.GZIP)
    const client = await openKafka(kafka.brokers, topic)
    const publisher = await client.openPublisher(0)
    const row = (id: number) => ({ id, key: 'k', payload: JSON.stringify({ row: id }), headers: { ce_id: String(id) } })
    const rows = Array.from({ length: ROWS }, (_, id) => row(id))
    const { offset, batchId } = await publisher.publish({ seq: 1, batchId: randomUUID(), rows }, 0)
    const end = await client.readEndOffset(0)
    expect(await client.findBatch(0, batchId, { from: 0, to: end }, () => {})).toBe(offset - ROWS)
    await publisher.discard()
    await client.close()
    const records = await kafka.readAll(topic)
    expect(records).toHaveLength(3 * ROWS)
    expect(records.slice(-ROWS).map(({ value }) => value)).toEqual(rows.map(({ payload }) => payload))
  },
)
