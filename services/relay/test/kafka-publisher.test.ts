import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { expect, test, waitFor } from '@streamledger/testkit'
import type { Batch, Kafka, Sight } from '../src/publisher.ts'
import { openKafka } from './open-kafka.ts'

function makeBatch(seq: number, ...payloads: string[]): Batch {
  const rows = payloads.map((payload, id) => ({ id, key: 'k', payload, headers: {} }))
  return { seq, batchId: randomUUID(), rows }
}

/** What Kafka shows of partition 1 once this holds. */
function seen(kafka: Kafka, holds: (sight: Sight) => boolean): Promise<Sight> {
  return waitFor(async () => {
    const sight = (await kafka.look([1])).get(1)
    return sight !== undefined && holds(sight) ? sight : false
  }) as Promise<Sight>
}

test('a fence ends what is before it, changes no receipt, and consumers do not see it', async ({ kafka: reader }) => {
  const topic = await reader.createTopic(2)
  const kafka = await openKafka(reader.brokers, topic)
  expect(await seen(kafka, () => true)).toEqual({ receipt: undefined, stable: 0 })
  const publisher = await kafka.openPublisher(1)
  const before = { seq: 0, batchId: randomUUID(), offset: 0 }
  await publisher.writeReceipt(before)
  await seen(kafka, ({ receipt }) => receipt !== undefined)

  const fence = await publisher.fence({ ...before, seq: 9 })
  expect(fence).toBe(0)
  expect(await seen(kafka, ({ stable }) => stable > fence)).toEqual({ receipt: before, stable: 2 })

  const batch = makeBatch(1, 'a', 'b')
  const receipt = await publisher.publish(batch, 0)
  expect(receipt).toEqual({ seq: 1, batchId: batch.batchId, offset: 4 })
  // The two marks of one commit become visible by themselves, in either order.
  await seen(kafka, ({ stable }) => stable >= receipt.offset)
  await seen(kafka, (sight) => isDeepStrictEqual(sight.receipt, receipt))
  await publisher.fence(receipt)
  expect((await reader.readAll(topic)).map(({ value, offset }) => [value, offset])).toEqual([
    ['a', 2],
    ['b', 3],
  ])
  expect(await kafka.findBatch(1, batch.batchId, { from: 0, to: 5 }, () => {})).toBe(2)
  expect(await kafka.findBatch(1, randomUUID(), { from: 0, to: 5 }, () => {})).toBeUndefined()
  await publisher.discard()
  await kafka.close()
})

test("the log's end is past a transaction that is open, and the last stable offset is not", async ({
  kafka: reader,
}) => {
  const topic = await reader.createTopic(2)
  const [kafka, foreign] = await Promise.all([openKafka(reader.brokers, topic), openKafka(reader.brokers, topic)])
  const open = await foreign.openPublisher(1)
  // Its receipt cannot be written, so what it has sent stays open.
  const failing = open.publish({ ...makeBatch(1, 'open'), seq: Number.NaN, batchId: 'x'.repeat(5_000) }, 0)
  await expect(failing).rejects.toThrow()
  expect(await kafka.readEndOffset(1)).toBe(1)
  expect(await seen(kafka, () => true)).toEqual({ receipt: undefined, stable: 0 })

  // Opening a new publisher ends it.
  await open.discard()
  const next = await foreign.openPublisher(1)
  await seen(kafka, ({ stable }) => stable === 2)
  await next.discard()
  await Promise.all([kafka.close(), foreign.close()])
})
