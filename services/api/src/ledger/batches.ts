import type { Waiting } from './waiting-room.ts'

/** When a batch takes longer than this, the postings behind it no longer wait for it and start a batch of their own. */
const LATE_MS = 20

/** Keeps track of the batches under way. */
export function createBatches(batchesMax: number) {
  const sentAt = new Map<readonly Waiting[], number>()

  return {
    all: (): Iterable<readonly Waiting[]> => sentAt.keys(),
    add: (batch: readonly Waiting[]): unknown => sentAt.set(batch, performance.now()),
    delete: (batch: readonly Waiting[]): boolean => sentAt.delete(batch),

    /**
     * Whether a batch may begin, given how many postings wait. A statement costs as much as dozens of rows, so while a
     * batch is under way the next one waits until it would be as large, or until the first one is late.
     */
    mayBegin(waiting: number): boolean {
      if (waiting === 0 || sentAt.size >= batchesMax) return false
      const lateSince = performance.now() - LATE_MS
      for (const [batch, at] of sentAt) if (waiting < batch.length && at > lateSince) return false
      return true
    },
  }
}
