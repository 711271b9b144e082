import type { Pool } from 'pg'
import { expect, test } from 'vitest'
import type { TopicRow } from '../src/read-topic-row.ts'
import type { TopicLog } from '../src/reconcile/topic-log.ts'
import { readEvidence } from '../src/resolve/read-evidence.ts'

test('the evidence about a partition needs no leader of another one', async () => {
  const asked: unknown[] = []
  const log = {
    ranges: () => Promise.reject(new Error('partition 5 of topic t has no leader')),
    range: async (partition: number) => ({ partition, low: 12, end: 40 }),
    // biome-ignore lint/correctness/useYield: the partition holds no record
    async *read(...what: unknown[]) {
      asked.push(what)
    },
  } as unknown as TopicLog
  const pool = { query: async () => ({ rows: [] }) } as unknown as Pool
  const lane = { partition: 3, batch_seq: 7, batch_id: null, batch_rows: null, next_offset: 10, halted_at: '', halted_reason: '' } // biome-ignore format: one line
  const sight = { receipt: undefined, stable: 40, end: 40 }
  const evidence = await readEvidence({ pool, topic: {} as TopicRow, log, onProgress: () => {} }, lane, sight)
  expect(asked).toEqual([[3, { from: 12, to: 40 }]])
  expect(evidence).toMatchObject({ from: 12, removed: 2, lost: [] })
})
