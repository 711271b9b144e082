import type { Pool } from 'pg'
import { Gauge, type Registry } from 'prom-client'

/** Counting stops here: counting all rows of a large backlog could take longer than publishing them. */
export const BACKLOG_COUNTED_MAX = 10_000
/** Minimum interval between two counts, regardless of the scrape interval. */
const BACKLOG_INTERVAL_MS = 10_000

interface PartitionValue {
  partition: number
  value: number
}

// Written so that Postgres can only use the primary key, starting at the floor, like WITH_ROWS in outbox.ts.
const AGES = `
  select p.partition, extract(epoch from now() - o.created_at)::float8 as value
    from relay_partitions p
   cross join lateral (
     select created_at from outbox where partition = p.partition and id > p.floor_id order by partition, id limit 1
   ) o`
const COUNTS = `
  select p.partition, counted.value
    from relay_partitions p
   cross join lateral (
     select count(*)::int as value from (
       select from outbox where partition = p.partition and id > p.floor_id order by partition, id limit $1
     ) o
   ) counted`
const RECEIPT_AGES = `
  select partition, extract(epoch from now() - receipt_at)::float8 as value
    from relay_partitions where receipt_at is not null`

/**
 * Gauges that read Postgres on each scrape. While Postgres is down they are empty, and all other metrics still work.
 */
export function observePartitions(registry: Registry, pool: Pool): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => Promise<PartitionValue[] | undefined>) =>
    new Gauge({
      name: `streamledger_${name}`,
      help,
      labelNames: ['partition'],
      registers,
      async collect() {
        const values = await read().catch(() => [])
        if (!values) return
        this.reset()
        for (const { partition, value } of values) this.set({ partition }, value)
      },
    })
  const ask = async (statement: string, parameters: unknown[] = []): Promise<PartitionValue[]> =>
    (await pool.query<PartitionValue>(statement, parameters)).rows

  gauge('outbox_oldest_seconds', 'Age of the oldest row in the outbox, by partition.', () => ask(AGES))
  let countedAt = Number.NEGATIVE_INFINITY
  gauge(
    'outbox_rows',
    `Rows in the outbox, by partition, counted up to ${BACKLOG_COUNTED_MAX}, at most every 10 s.`,
    async () => {
      const now = performance.now()
      if (now - countedAt < BACKLOG_INTERVAL_MS) return undefined
      countedAt = now
      return ask(COUNTS, [BACKLOG_COUNTED_MAX])
    },
  )
  gauge(
    'relay_receipt_age_seconds',
    "Time since a partition's receipt was last written; Kafka deletes it from the consumer group after offsets.retention.minutes.",
    () => ask(RECEIPT_AGES),
  )
  observeHalts(registry, pool)
}

function observeHalts(registry: Registry, pool: Pool): void {
  new Gauge({
    name: 'streamledger_relay_partitions_halted',
    help: 'Halted partitions; each waits for an operator to resolve it.',
    registers: [registry],
    async collect() {
      const halted = await pool
        .query('select count(*)::int as halted from relay_partitions where halted_at is not null')
        .then(({ rows }) => rows[0].halted)
        .catch(() => undefined)
      // Keep the last value while Postgres does not answer: a partition cannot be resolved without Postgres.
      if (halted !== undefined) this.set(halted)
    },
  })
}
