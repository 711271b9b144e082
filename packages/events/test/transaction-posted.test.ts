import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { type PostedTransaction, partitionFor, TransactionPosted, transactionPosted } from '../src/index.ts'

const posted: PostedTransaction = {
  id: 31,
  user_id: 7,
  wallet_id: 8,
  sequence: 2,
  entry: 'debit',
  amount: 150,
  balance: 850,
  currency: 'NGN',
  trans_id: 'order "9"',
  created_at: new Date('2026-03-04T05:06:07.089Z'),
}
const context = { source: 'urn:streamledger:x', partitions: 12 }

test('an event carries what was posted, keyed by user, as CloudEvents', () => {
  const event = transactionPosted(posted, { ...context, traceparent: '00-a-b-01', tracestate: 'vendor=1' })
  const value = JSON.parse(event.payload)
  expect(Value.Check(TransactionPosted, value)).toBe(true)
  expect(value).toEqual({
    ...{ user_id: 7, entry: 'debit', amount: 150, balance: 850, timestamp: '2026-03-04T05:06:07.089Z' },
    ...{ transaction_id: 31, wallet_id: 8, trans_id: 'order "9"', currency: 'NGN', sequence: 2 },
  })
  expect(event).toMatchObject({ key: '7', partition: partitionFor('7', 12) })
  expect(JSON.parse(event.headers)).toEqual({
    ...{ ce_specversion: '1.0', ce_id: '31', ce_type: 'streamledger.transaction.posted.v1' },
    ...{ ce_source: 'urn:streamledger:x', ce_time: '2026-03-04T05:06:07.089Z' },
    ...{ 'content-type': 'application/json', traceparent: '00-a-b-01', tracestate: 'vendor=1' },
  })
})

test('a request without a trace leaves no header behind', () => {
  const headers = Object.keys(JSON.parse(transactionPosted(posted, context).headers))
  expect(headers.filter((name) => name.startsWith('trace'))).toEqual([])
})

// Expected values: org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % 1000 in the Java client.
test.each([
  ['', 681],
  ['1', 159],
  ['7', 99],
  ['42', 972],
  ['100', 253],
  ['12345', 44],
  ['1234567890', 157],
  ['user-21', 536],
  ['Ọ̀rọ̀', 395],
])('the key %j goes where the Java client would send it', (key, partition) => {
  expect(partitionFor(key, 1_000)).toBe(partition)
})
