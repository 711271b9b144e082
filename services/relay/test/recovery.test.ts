import { describe, expect, test } from 'vitest'
import type { Lane } from '../src/outbox.ts'
import type { Receipt } from '../src/publisher.ts'
import { judge } from '../src/recovery.ts'

const BATCH = '11111111-1111-4111-8111-111111111111'
const OTHER = '22222222-2222-4222-8222-222222222222'

const lane = (batchSeq: number, batchId?: string): Lane => ({
  partition: 0,
  batchSeq,
  batch: batchId ? { batchId, rows: 3 } : undefined,
  nextOffset: 40,
})
const receipt = (seq: number, batchId = BATCH): Receipt => ({ seq, batchId, offset: 50 })

describe('what a lane does about a batch in doubt', () => {
  test('goes on when the receipt is of the open batch: it is in Kafka', () => {
    expect(judge(lane(7, BATCH), receipt(7))).toEqual({ kind: 'go_on', nextOffset: 50 })
  })

  test('publishes the open batch again when the receipt is of the one before', () => {
    expect(judge(lane(7, BATCH), receipt(6, OTHER))).toEqual({ kind: 'publish_again', from: 40 })
  })

  test('goes on when no batch is open and the receipt is of the last one', () => {
    expect(judge(lane(7), receipt(7, OTHER))).toEqual({ kind: 'go_on', nextOffset: 50 })
  })

  test('writes the receipt again when it expired and nothing is in doubt', () => {
    expect(judge(lane(7), undefined)).toEqual({ kind: 'write_receipt' })
    expect(judge(lane(0), undefined)).toEqual({ kind: 'write_receipt' })
  })

  test.each([
    ['no receipt at all while a batch is open', lane(7, BATCH), undefined],
    ['a receipt too far behind', lane(7, BATCH), receipt(5)],
    ['a receipt behind with no batch open', lane(7), receipt(6)],
  ])('halts on %s, which may pass', (_, stored, found) => {
    expect(judge(stored, found)).toMatchObject({ kind: 'halt', behind: true })
  })

  test.each([
    ['the same number for another batch, as after a lossy fail-over', lane(7, BATCH), receipt(7, OTHER)],
    ['a receipt ahead of Postgres, as after a restored backup', lane(7, BATCH), receipt(8)],
    ['a receipt ahead of Postgres with no batch open', lane(7), receipt(8)],
    ['a receipt that is none', lane(7), 'offset 50, metadata "x"'],
  ])('halts on %s, which does not', (_, stored, found) => {
    expect(judge(stored, found)).toMatchObject({ kind: 'halt', behind: false })
  })
})
