import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import type { Batch } from '../src/publisher.ts'
import { openKafka } from './open-kafka.ts'

const makeBatch = (seq: number): Batch => ({
  seq,
  batchId: randomUUID(),
  rows: [{ id: seq, key: 'k', payload: String(seq), headers: {} }],
})

test('a producer asks once who coordinates, and again when it is told that somebody else does', async ({
  startProxiedKafka,
}) => {
  const kafka = await startProxiedKafka()
  const topic = await kafka.createTopic(1)
  const client = await openKafka(kafka.proxiedBrokers, topic)
  const publisher = await client.openPublisher(0)
  await publisher.publish(makeBatch(1), 0)
  const asked = () => kafka.proxy.requests.filter(({ api }) => api === 'FindCoordinator').length
  const before = asked()
  for (let seq = 2; seq <= 10; seq += 1) await publisher.publish(makeBatch(seq), 0)
  expect(asked()).toBe(before)

  // kafkajs tries this one again by itself, and would do so with the wrong broker until it gives up.
  const moved = kafka.proxy.disturb('AddPartitionsToTxn', { kind: 'refuse', error: 'NOT_COORDINATOR' })
  await publisher.publish(makeBatch(11), 0)
  expect(moved.met).toBe(1)
  expect(asked()).toBe(before + 1)
  await publisher.discard()
  await client.close()
  expect((await kafka.readAll(topic)).map(({ value }) => Number(value))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
}, 60_000)
