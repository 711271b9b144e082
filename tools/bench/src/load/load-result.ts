/** What one run of a load generator saw. Latencies are in ms. */
export interface LoadResult {
  seconds: number
  answered: number
  /** Answers 422 where the workload asks for refusals. */
  refused: number
  /** Any other status than the workload asks for. */
  unexpected: number
  /** Connections that failed or timed out. */
  broken: number
  p50_ms: number
  p90_ms: number
  p99_ms: number
}

export const rateOf = ({ answered, seconds }: LoadResult): number => answered / seconds
