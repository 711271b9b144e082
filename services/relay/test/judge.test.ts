import { describe, expect, test } from 'vitest'
import { judge, type Shown } from '../src/judge.ts'
import type { Lane } from '../src/outbox.ts'
import type { Receipt } from '../src/publisher.ts'

const BATCH = '11111111-1111-4111-8111-111111111111'
const OTHER = '22222222-2222-4222-8222-222222222222'

const lane = (batchSeq: number, batchId?: string): Lane => ({
  partition: 0,
  batchSeq,
  batch: batchId ? { batchId, rows: 3 } : undefined,
  nextOffset: 40,
  resolvedEnd: undefined,
})
const receipt = (seq: number, batchId = BATCH): Receipt => ({ seq, batchId, offset: 50 })
const shown = (found: Shown['receipt'], { stable = 60, end = 60 } = {}): Shown => ({ receipt: found, stable, end })

describe('what a lane does about a batch in doubt', () => {
  test('looks the open batch up when its receipt is there and consumers read past it', () => {
    const verdict = { kind: 'look_up', receipt: receipt(7), from: 40 }
    expect(judge(lane(7, BATCH), shown(receipt(7)))).toEqual(verdict)
    expect(judge({ ...lane(7, BATCH), nextOffset: undefined }, shown(receipt(7)))).toEqual({ ...verdict, from: 47 })
  })

  test('settles the open batch when its receipt is there and consumers do not read past it', () => {
    const verdict = { kind: 'settle', receipt: receipt(7), from: 40 }
    expect(judge(lane(7, BATCH), shown(receipt(7), { stable: 49 }))).toEqual(verdict)
    expect(judge(lane(7, BATCH), shown(receipt(7), { stable: 50 })).kind).toBe('look_up')
  })

  test('settles the open batch when the receipt is of the one before', () => {
    const before = receipt(6, OTHER)
    expect(judge(lane(7, BATCH), shown(before))).toEqual({ kind: 'settle', receipt: before, from: 40 })
    const unknown = { ...lane(7, BATCH), nextOffset: undefined }
    expect(judge(unknown, shown(before))).toEqual({ kind: 'settle', receipt: before, from: 50 })
  })

  test('goes on when no batch is open and the receipt is of the last one', () => {
    expect(judge(lane(7), shown(receipt(7, OTHER)))).toEqual({ kind: 'go_on', nextOffset: 50 })
  })

  test('writes the receipt again when it expired and nothing is in doubt', () => {
    const { nextOffset: from } = lane(7)
    expect(judge(lane(7), shown(undefined, { stable: 55 }))).toEqual({ kind: 'write_receipt', offset: 55, from })
    expect(judge(lane(7), shown(undefined, { stable: from, end: from }))).toEqual({
      kind: 'write_receipt',
      offset: from,
    })
    const unused = { ...lane(0), nextOffset: undefined }
    expect(judge(unused, shown(undefined, { stable: 0 }))).toEqual({ kind: 'write_receipt', offset: 0 })
  })

  test('settles the open batch by the topic alone when there is no receipt, and what is confirmed can be read', () => {
    expect(judge(lane(7, BATCH), shown(undefined, { stable: 40, end: 40 }))).toMatchObject({
      ...{ kind: 'receipt_gone', from: 40 },
      reason: 'batch 7 is open and there is no receipt of any batch',
    })
  })

  test.each([
    [
      'no receipt at all while a batch is open, and a confirmed one that consumers cannot read',
      lane(7, BATCH),
      shown(undefined, { stable: 39 }),
    ],
    [
      'the same, where it is not known up to where batches are confirmed',
      { ...lane(7, BATCH), nextOffset: undefined },
      shown(undefined),
    ],
    ['a receipt too far behind', lane(7, BATCH), shown(receipt(5))],
    ['a receipt behind with no batch open', lane(7), shown(receipt(6))],
    [
      'no receipt, and a log that ends before what was confirmed',
      { ...lane(7), nextOffset: 50 },
      shown(undefined, { end: 49, stable: 49 }),
    ],
    ['a log that ends before the open batch does', lane(7, BATCH), shown(receipt(7), { end: 49, stable: 49 })],
    ['a log that ends before the last batch does', lane(7), shown(receipt(7), { end: 49, stable: 49 })],
    ['a log that ends before the batch before', lane(7, BATCH), shown(receipt(6), { end: 0, stable: 0 })],
    ['a confirmed batch that consumers cannot read', lane(7), shown(receipt(7), { stable: 49 })],
    ['the same with the next one open', lane(7, BATCH), shown(receipt(6), { stable: 49 })],
  ])('halts on %s, which may pass', (_, stored, found) => {
    expect(judge(stored, found)).toMatchObject({ kind: 'halt', behind: true })
  })

  test.each([
    ['a receipt that lies before what was confirmed', { ...lane(7), nextOffset: 51 }, shown(receipt(7))],
    ['a receipt of the batch before that does', { ...lane(7, BATCH), nextOffset: 51 }, shown(receipt(6))],
    ['an open batch that would have begun there', { ...lane(7, BATCH), nextOffset: 48 }, shown(receipt(7))],
    [
      'no receipt, and less to read than was confirmed',
      { ...lane(7), nextOffset: 56 },
      shown(undefined, { stable: 55 }),
    ],
  ])('halts on %s, which may pass: what is confirmed never goes back', (_, stored, found) => {
    expect(judge(stored, found)).toMatchObject({ kind: 'halt', behind: true })
  })

  const pinned = { clusterId: 'c1', topicId: 't1' }
  test('halts on a topic that was created again, whatever it shows, also where it was resolved before', () => {
    const identity = { clusterId: 'c1', topicId: 't2' }
    for (const stored of [lane(7), lane(7, BATCH), { ...lane(9), resolvedEnd: 60 }]) {
      for (const found of [undefined, receipt(7), 'nonsense']) {
        expect(judge({ ...stored, pinned }, { ...shown(found), identity })).toEqual({
          ...{ kind: 'halt', behind: true },
          reason:
            'the topic was deleted and created again: its id is t2, and the events were published to the one with id t1',
        })
      }
    }
  })

  test('refuses another cluster, and halts nothing: the partition is well where it is', () => {
    const identity = { clusterId: 'c2', topicId: 't1' }
    const verdict = judge({ ...lane(7), pinned }, { ...shown(receipt(7)), identity })
    expect(verdict).toMatchObject({ kind: 'refuse', reason: expect.stringContaining('relay adopt-cluster') })
  })

  test('goes on with the Kafka that has the events, and with any while none is recorded', () => {
    const goOn = { kind: 'go_on', nextOffset: 50 }
    expect(judge({ ...lane(7), pinned }, { ...shown(receipt(7)), identity: pinned })).toEqual(goOn)
    expect(judge(lane(7), { ...shown(receipt(7)), identity: pinned })).toEqual(goOn)
  })

  test('writes the receipt of a partition that an operator has resolved, whatever receipt there was', () => {
    const resolved = { ...lane(9), resolvedEnd: 60 }
    for (const found of [undefined, 'nonsense', receipt(3), receipt(8), receipt(9)]) {
      expect(judge(resolved, shown(found))).toEqual({ kind: 'write_receipt', offset: 60 })
    }
  })

  test.each([
    ['ends later than it was resolved to', shown(receipt(8), { end: 61, stable: 61 }), false],
    ['has a receipt from after it was resolved', shown(receipt(10)), false],
    ['shows less than it was resolved to', shown(receipt(8), { stable: 59 }), true],
  ])('halts a resolved partition that %s', (_, found, mayPass) => {
    expect(judge({ ...lane(9), resolvedEnd: 60 }, found)).toMatchObject({ kind: 'halt', behind: mayPass })
  })

  test.each([
    ['the same number for another batch, as after a lossy fail-over', lane(7, BATCH), receipt(7, OTHER)],
    ['a receipt ahead of Postgres, as after a restored backup', lane(7, BATCH), receipt(8)],
    ['a receipt ahead of Postgres with no batch open', lane(7), receipt(8)],
    ['a receipt that is none', lane(7), 'offset 50, metadata "x"'],
  ])('halts on %s, which does not', (_, stored, found) => {
    expect(judge(stored, shown(found))).toMatchObject({ kind: 'halt', behind: false })
  })
})
