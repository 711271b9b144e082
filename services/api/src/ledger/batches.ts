import type { Waiting } from './waiting-room.ts'

/** Whoever waits for a batch that takes longer goes ahead in one of its own. */
const LATE_MS = 20

/** The batches under way. */
export function createBatches(batchesMax: number) {
  const sentAt = new Map<readonly Waiting[], number>()

  return {
    all: (): Iterable<readonly Waiting[]> => sentAt.keys(),
    add: (batch: readonly Waiting[]): unknown => sentAt.set(batch, performance.now()),
    delete: (batch: readonly Waiting[]): boolean => sentAt.delete(batch),

    /**
     * Whether so many who wait shall go now. A statement costs as much as dozens of rows: while one is under way, the
     * next waits until it would be as large, or until that one is late.
     */
    mayBegin(waiting: number): boolean {
      if (waiting === 0 || sentAt.size >= batchesMax) return false
      const lateSince = performance.now() - LATE_MS
      for (const [batch, at] of sentAt) if (waiting < batch.length && at > lateSince) return false
      return true
    },
  }
}
