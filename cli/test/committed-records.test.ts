import { expect, test } from 'vitest'
import { committedRecords } from '../src/reconcile/committed-records.ts'

const data = (offset: number, producerId: string) => ({
  ...{ offset, producerId, inTransaction: true, isControl: false, isAbort: false },
})
const mark = (offset: number, producerId: string, isAbort: boolean) => ({
  ...{ offset, producerId, inTransaction: true, isControl: true, isAbort },
})
const offsets = (records: { offset: number }[]) => records.map(({ offset }) => offset)

test('two aborted transactions that began before the fetch are both left out, and what came between is not', () => {
  // The broker lists them by where they ended: b, which began later, first.
  const aborted = [
    { producerId: 'b', firstOffset: 6 },
    { producerId: 'a', firstOffset: 3 },
  ]
  const records = [data(10, 'a'), data(11, 'b'), data(12, 'c'), mark(13, 'b', true), mark(14, 'a', true), data(15, 'a')]
  expect(offsets(committedRecords(records, aborted))).toEqual([12, 15])
})

test('a transaction that is committed after an aborted one of the same producer is there', () => {
  const records = [
    data(0, 'a'),
    mark(1, 'a', true),
    data(2, 'a'),
    mark(3, 'a', false),
    data(4, 'a'),
    mark(5, 'a', true),
  ]
  const aborted = [
    { producerId: 'a', firstOffset: 0 },
    { producerId: 'a', firstOffset: 4 },
  ]
  expect(offsets(committedRecords(records, aborted))).toEqual([2])
})

test('a record outside any transaction is there, whoever wrote it', () => {
  const records = [{ ...data(0, 'a'), inTransaction: false }, data(1, 'a'), mark(2, 'a', true)]
  expect(offsets(committedRecords(records, [{ producerId: 'a', firstOffset: 0 }]))).toEqual([0])
})
