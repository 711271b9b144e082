import { observePools } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { observePartitions } from './observe-partitions.ts'

const BATCH_BUCKETS_S = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const LATENCY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]
const MS_PER_S = 1_000

/** Metrics of this replica, and of all partitions, including those that other replicas hold. */
export function createRelayMetrics(registry: Registry, pool: Pool) {
  const registers = [registry]
  observePartitions(registry, pool)
  observePools(registry, { main: pool })
  const counter = (name: string, help: string) => new Counter({ name: `streamledger_relay_${name}`, help, registers })
  return {
    published: counter('rows_published_total', 'Rows published.'),
    batches: counter('batches_total', 'Kafka transactions committed.'),
    doubts: counter('doubts_total', 'Steps whose outcome was unknown, so that the lane had to recover.'),
    halts: counter('halts_total', 'Partitions this replica halted.'),
    takeOvers: counter('takeovers_total', 'Partitions this replica took after the lease of another had expired.'),
    acknowledged: createBatchObserver(registry),
    unknownPartitions: new Gauge({
      name: 'streamledger_topic_partitions_unknown',
      help: 'Partitions of the topic that the database does not post to.',
      registers,
    }),
    unsafeSettings: new Gauge({
      name: 'streamledger_topic_settings_unsafe',
      help: 'Settings of the topic with which events would be dropped or refused, and a relay would not start.',
      registers,
    }),
    steppedDown: new Gauge({
      name: 'streamledger_relay_stepped_down',
      help: '1 while this replica holds no partitions because it cannot use Kafka and another replica can.',
      registers,
    }),
    leases: new Gauge({ name: 'streamledger_relay_leases', help: 'Partitions this replica holds.', registers }),
  }
}

export type RelayMetrics = ReturnType<typeof createRelayMetrics>

/**
 * Returns the function to call when Kafka has acknowledged a batch. `durationMs` is the time since its intent,
 * `oldestAgeMs` the age of its oldest row at the intent.
 */
function createBatchObserver(registry: Registry): (durationMs: number, oldestAgeMs: number | undefined) => void {
  const registers = [registry]
  const duration = new Histogram({
    name: 'streamledger_relay_batch_duration_seconds',
    help: "Time from a batch's intent to Kafka's acknowledgement of its commit.",
    buckets: BATCH_BUCKETS_S,
    registers,
  })
  const latency = new Histogram({
    name: 'streamledger_relay_publish_latency_seconds',
    help: "Time from the insert of a batch's oldest row to Kafka's acknowledgement, without batches that were in doubt.",
    buckets: LATENCY_BUCKETS_S,
    registers,
  })
  return (durationMs, oldestAgeMs) => {
    duration.observe(durationMs / MS_PER_S)
    // The age comes from the clock of Postgres, the duration from ours; the two clocks are never compared.
    if (oldestAgeMs !== undefined) latency.observe((oldestAgeMs + durationMs) / MS_PER_S)
  }
}
