import type { Pool } from 'pg'
import { Counter, Gauge, type Registry } from 'prom-client'

/** What the relay counts. Two gauges ask Postgres when they are scraped; while it is down, the rest is told all the same. */
export function createRelayMetrics(registry: Registry, pool: Pool) {
  const registers = [registry]
  const backlog = new Gauge({
    name: 'streamledger_outbox_oldest_seconds',
    help: 'Age of the oldest row that waits in the outbox, by partition.',
    labelNames: ['partition'],
    registers,
    async collect() {
      const ages = await readAges(pool).catch(() => [])
      this.reset()
      for (const { partition, age } of ages) this.set({ partition }, age)
    },
  })
  const halted = new Gauge({
    name: 'streamledger_relay_partitions_halted',
    help: 'Partitions that wait for someone to resolve them.',
    registers,
    async collect() {
      const count = await countHalted(pool).catch(() => undefined)
      if (count !== undefined) this.set(count)
    },
  })
  return {
    backlog,
    halted,
    published: new Counter({ name: 'streamledger_relay_rows_published_total', help: 'Rows published.', registers }),
    batches: new Counter({
      name: 'streamledger_relay_batches_total',
      help: 'Kafka transactions committed.',
      registers,
    }),
    doubts: new Counter({
      name: 'streamledger_relay_doubts_total',
      help: 'Steps whose outcome had to be asked for.',
      registers,
    }),
    halts: new Counter({ name: 'streamledger_relay_halts_total', help: 'Partitions this replica halted.', registers }),
    unknownPartitions: new Gauge({
      name: 'streamledger_topic_partitions_unknown',
      help: 'Partitions of the topic that the database does not post to.',
      registers,
    }),
    leases: new Gauge({ name: 'streamledger_relay_leases', help: 'Partitions this replica holds.', registers }),
  }
}

export type RelayMetrics = ReturnType<typeof createRelayMetrics>

async function readAges(pool: Pool): Promise<{ partition: number; age: number }[]> {
  const { rows } = await pool.query(`
    select p.partition, extract(epoch from now() - o.created_at)::float8 as age
      from relay_partitions p
      cross join lateral (
        select created_at from outbox where partition = p.partition and id > p.floor_id order by partition, id limit 1
      ) o`)
  return rows
}

async function countHalted(pool: Pool): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as halted from relay_partitions where halted_at is not null')
  return rows[0].halted
}
