import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { expect, type KafkaApi, type KafkaFault, type ProxiedKafka, test, waitFor } from '../src/index.ts'

function openProducer(brokers: string) {
  const client = new Kafka({
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    requestTimeout: 500,
    enforceRequestTimeout: true,
    retry: { retries: 0 },
  })
  return client.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, retry: { retries: 0 } })
}

/** One transaction with a record and an offset. */
async function transact({ proxiedBrokers }: ProxiedKafka, topic: string): Promise<void> {
  const producer = openProducer(proxiedBrokers)
  try {
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: 'v', partition: 0 }] })
    await transaction.sendOffsets({
      consumerGroupId: 'group',
      topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }],
    })
    await transaction.commit()
  } finally {
    await producer.disconnect()
  }
}

const STEPS: KafkaApi[] = [
  'InitProducerId',
  'AddPartitionsToTxn',
  'Produce',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
  'EndTxn',
]

const TOOK_EFFECT: string[] = ['misreport', 'lose_answer', 'cut_after']
const FAULTS: [KafkaFault, RegExp][] = [
  [{ kind: 'refuse', error: 'OPERATION_NOT_ATTEMPTED' }, /not attempted|did not attempt/i],
  [{ kind: 'misreport', error: 'INVALID_PRODUCER_EPOCH' }, /old epoch/],
  [{ kind: 'lose_request' }, /timed out/],
  [{ kind: 'lose_answer' }, /timed out/],
  [{ kind: 'cut_before' }, /Closed connection/],
  [{ kind: 'cut_after' }, /Closed connection/],
]

test('requests are told from each other, and each can be lost, refused, answered falsely or held', async ({
  startProxiedKafka,
}) => {
  const kafka = await startProxiedKafka()
  const { proxy } = kafka
  const [disturbed, committed] = [await kafka.createTopic(1), await kafka.createTopic(1)]
  // A young broker has no coordinators yet.
  await waitFor(() => transact(kafka, disturbed).then(() => true))
  const last = proxy.requests.findLastIndex(({ api }) => api === 'InitProducerId')
  const ofTransaction = proxy.requests.slice(last).filter(({ api }) => api !== undefined && STEPS.includes(api))
  expect(ofTransaction.map(({ api }) => api)).toEqual(STEPS)
  expect(ofTransaction.every(({ sentAt, answeredAt }) => Number(answeredAt) >= sentAt)).toBe(true)

  for (const api of STEPS) {
    for (const [fault, message] of FAULTS) {
      const disturbance = proxy.disturb(api, fault)
      // What is refused stays open, and would hide what comes after it.
      const topic = api === 'EndTxn' && TOOK_EFFECT.includes(fault.kind) ? committed : disturbed
      await expect(transact(kafka, topic), `${api} ${fault.kind}`).rejects.toThrow(message)
      expect(disturbance.met).toBe(1)
    }
  }
  expect(await kafka.readAll(committed)).toHaveLength(TOOK_EFFECT.length)
  proxy.disturb('EndTxn', { kind: 'answer_twice' })
  await transact(kafka, committed)
  expect(await kafka.readAll(committed)).toHaveLength(TOOK_EFFECT.length + 1)

  const held = proxy.holdRequest('EndTxn')
  await expect(transact(kafka, committed)).rejects.toThrow(/timed out/)
  expect(held.isCaught).toBe(true)
  held.release()
  await waitFor(async () => (await kafka.readAll(committed)).length === TOOK_EFFECT.length + 2)
}, 180_000)
