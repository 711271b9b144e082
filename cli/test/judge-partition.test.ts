import { expect, test } from 'vitest'
import { findObjections, type PartitionEvidence } from '../src/adopt/judge-partition.ts'

const BATCH = '11111111-1111-4111-8111-111111111111'
const OTHER = '22222222-2222-4222-8222-222222222222'
const receipt = (seq: number, batchId = OTHER) => ({ seq, batchId, offset: 40 })

/** A partition at batch 7, of which everything is confirmed up to offset 40. */
function evidence({
  lane = {},
  sight = {},
  lastEvent = 'known',
}: {
  lane?: Partial<PartitionEvidence['lane']>
  sight?: Partial<PartitionEvidence['sight']>
  lastEvent?: PartitionEvidence['lastEvent']
}): PartitionEvidence {
  const whole = { partition: 0, batch_seq: 7, batch_id: null, batch_rows: null, next_offset: 40, halted_at: null, halted_reason: null } // biome-ignore format: one line
  return { lane: { ...whole, ...lane }, sight: { receipt: receipt(7), stable: 41, end: 41, ...sight }, lastEvent }
}

test.each([
  ['as Postgres expects it', {}],
  ['without a receipt, which is written again', { sight: { receipt: undefined } }],
  ['with a batch open that is published', { lane: { batch_id: BATCH }, sight: { receipt: receipt(7, BATCH) } }],
  ['with a batch open that is not', { lane: { batch_id: BATCH }, sight: { receipt: receipt(6) } }],
  ['that was never used', { lane: { next_offset: null, batch_seq: 0 }, sight: { receipt: undefined, stable: 0, end: 0 }, lastEvent: 'none' as const }], // biome-ignore format: one line
])('nothing is against a partition %s', (_, seen) => {
  expect(findObjections(evidence(seen))).toEqual([])
})

test.each([
  ['a topic that ends too early', { sight: { stable: 39, end: 39 } }, 'it ends at offset 39'],
  ['a topic that is not readable so far', { sight: { stable: 39 } }, 'consumers can read only up to offset 39'],
  ['a receipt of an earlier batch', { sight: { receipt: receipt(6) } }, 'its receipt is of batch 6'],
  ['a receipt of a later batch', { sight: { receipt: receipt(8) } }, 'its receipt is of batch 8'],
  ['a receipt of another batch 7', { lane: { batch_id: BATCH } }, 'its receipt is of batch 7'],
  ['an offset that no relay wrote', { sight: { receipt: 'offset 3' } }, 'its receipt cannot be read'],
  ['no receipt while a batch is open', { lane: { batch_id: BATCH }, sight: { receipt: undefined } }, 'is open'],
  ['an event of another ledger', { lastEvent: 'unknown' as const }, 'belongs to no transaction'],
])('%s is against it', (_, seen, objection) => {
  expect(findObjections(evidence(seen))).toEqual([expect.stringContaining(objection)])
})
