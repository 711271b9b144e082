import { setTimeout as delay } from 'node:timers/promises'
import type { BenchDeps } from '../suite.ts'

const TICK_MS = 1

/** Open loop: starts each write when it is due, even if earlier ones have not been committed. Numbers them from 1. */
export async function writeAtRate(
  { signal }: BenchDeps,
  { rate, seconds }: { rate: number; seconds: number },
  write: (index: number) => Promise<void>,
): Promise<void> {
  const total = rate * seconds
  const startedAt = performance.now()
  const writes: Promise<void>[] = []
  while (writes.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * rate) + 1)
    while (writes.length < due) writes.push(write(writes.length + 1))
    await delay(TICK_MS, undefined, { signal })
  }
  await Promise.all(writes)
}
