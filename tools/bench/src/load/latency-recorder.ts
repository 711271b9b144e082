import { percentile } from '../measure/statistics.ts'
import type { LoadResult } from './load-result.ts'
import { type BenchRequest, isExpected } from './request-source.ts'

/** Counts answers as expected, refused or unexpected, and stores each latency. */
export function createLatencyRecorder() {
  const latenciesMs: number[] = []
  let refused = 0
  let unexpected = 0
  let broken = 0
  return {
    answered: (request: BenchRequest, status: number, latencyMs: number) => {
      latenciesMs.push(latencyMs)
      if (!isExpected(request, status)) unexpected += 1
      else if (status === 422) refused += 1
    },
    broke: () => {
      broken += 1
    },
    result: (seconds: number): LoadResult => ({
      ...{ seconds, answered: latenciesMs.length, refused, unexpected, broken },
      p50_ms: percentile(latenciesMs, 0.5),
      p90_ms: percentile(latenciesMs, 0.9),
      p99_ms: percentile(latenciesMs, 0.99),
    }),
  }
}
