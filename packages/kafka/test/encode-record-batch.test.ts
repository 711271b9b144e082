import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { encodeRecordBatch } from '../src/encode-record-batch.ts'

const require = createRequire(import.meta.url)
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js')
const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')

const text = fc.string({ unit: 'binary', maxLength: 200 })
const message = fc.record({
  key: fc.option(text),
  value: fc.option(fc.oneof(text, fc.constant('ü'.repeat(9_000)))),
  headers: fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    text,
    { maxKeys: 9 },
  ),
})

test('a batch has the very bytes that kafkajs makes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 150 }),
      fc.bigInt({ min: 0n, max: 2n ** 62n }),
      fc.integer({ min: 0, max: 32_766 }),
      fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      fc.integer({ min: 0, max: 4_102_444_800_000 }),
      async (messages, producerId, producerEpoch, firstSequence, timestampMs) => {
        const records = messages.map((one, offsetDelta) => Record({ ...one, offsetDelta, timestampDelta: 0 }))
        const theirs = await RecordBatch({
          ...{ records, producerEpoch, firstSequence, transactional: true, lastOffsetDelta: records.length - 1 },
          ...{ producerId: String(producerId), firstTimestamp: timestampMs, maxTimestamp: timestampMs },
        })
        const ours = encodeRecordBatch({ messages, producerId, producerEpoch, firstSequence, timestampMs })
        expect(ours.equals(theirs.buffer)).toBe(true)
      },
    ),
    { numRuns: 200 },
  )
})

test('so has a whole request', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 })
  onTestFinished(() => void vi.useRealTimers())
  const { encodeProduce } = await import('../src/produce-directly.ts')
  const request = require('kafkajs/src/protocol/requests/produce/v7/request.js')
  const messages = [
    { key: 'k', value: 'v', partition: 3, headers: { a: 'b' } },
    { key: null, value: null, headers: {} },
  ]
  const produce = {
    ...{ acks: -1, timeout: 30_000, transactionalId: 'it', producerId: '5', producerEpoch: 2, compression: 0 },
    topicData: [{ topic: 't', partitions: [{ partition: 3, firstSequence: 7, messages }] }],
  }
  const theirs = await request(produce).encode()
  expect(encodeProduce(produce).equals(theirs.buffer)).toBe(true)
})
