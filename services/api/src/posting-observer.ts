import { Counter, Histogram, type Registry } from 'prom-client'
import type { PostingObserver } from './ledger/posting-queue.ts'

const BATCH_ROWS_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]
const BATCH_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const MS_PER_S = 1_000

/** Counts batches and replays, without labels: on this path a label look-up would cost more than the counting. */
export function createPostingObserver(registry: Registry): PostingObserver {
  const registers = [registry]
  const rows = new Histogram({
    name: 'posting_batch_rows',
    help: 'Postings that shared one commit, including those that are retried in a later one.',
    buckets: BATCH_ROWS_BUCKETS,
    registers,
  })
  const duration = new Histogram({
    name: 'posting_batch_duration_seconds',
    help: 'Time to read, decide and commit a batch of postings, or until it failed.',
    buckets: BATCH_BUCKETS_S,
    registers,
  })
  const replays = new Counter({
    name: 'posting_replays_total',
    help: 'Postings that got the recorded answer of their trans_id again, including refusals.',
    registers,
  })
  return {
    replayed: () => replays.inc(),
    returned(batchRows, durationMs) {
      rows.observe(batchRows)
      duration.observe(durationMs / MS_PER_S)
    },
  }
}
