import { observePools } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { observePartitions } from './observe-partitions.ts'

const BATCH_BUCKETS_S = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const LATENCY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]
const MS_PER_S = 1_000

/** What the relay tells of itself, and of all partitions, whoever holds them. */
export function createRelayMetrics(registry: Registry, pool: Pool) {
  const registers = [registry]
  observePartitions(registry, pool)
  observePools(registry, { main: pool })
  const counter = (name: string, help: string) => new Counter({ name: `streamledger_relay_${name}`, help, registers })
  return {
    published: counter('rows_published_total', 'Rows published.'),
    batches: counter('batches_total', 'Kafka transactions committed.'),
    doubts: counter('doubts_total', 'Steps whose outcome had to be asked for.'),
    halts: counter('halts_total', 'Partitions this replica halted.'),
    takeOvers: counter('takeovers_total', 'Partitions taken whose holder had let its lease run out.'),
    acknowledged: createBatchObserver(registry),
    unknownPartitions: new Gauge({
      name: 'streamledger_topic_partitions_unknown',
      help: 'Partitions of the topic that the database does not post to.',
      registers,
    }),
    leases: new Gauge({ name: 'streamledger_relay_leases', help: 'Partitions this replica holds.', registers }),
  }
}

export type RelayMetrics = ReturnType<typeof createRelayMetrics>

/** Returns what to call when Kafka has acknowledged a batch that was intended so long ago, with rows that old by then. */
function createBatchObserver(registry: Registry): (durationMs: number, oldestAgeMs: number | undefined) => void {
  const registers = [registry]
  const duration = new Histogram({
    name: 'streamledger_relay_batch_duration_seconds',
    help: "From a batch's intent to Kafka's acknowledgement of its commit.",
    buckets: BATCH_BUCKETS_S,
    registers,
  })
  const latency = new Histogram({
    name: 'streamledger_relay_publish_latency_seconds',
    help: "From the writing of a batch's oldest row to Kafka's acknowledgement; batches that were in doubt are left out.",
    buckets: LATENCY_BUCKETS_S,
    registers,
  })
  return (durationMs, oldestAgeMs) => {
    duration.observe(durationMs / MS_PER_S)
    // Postgres's clock tells the age and ours what came after it: the two are never compared.
    if (oldestAgeMs !== undefined) latency.observe((oldestAgeMs + durationMs) / MS_PER_S)
  }
}
