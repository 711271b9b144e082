import { createRegistry } from '@streamledger/runtime'
import { expect, readMetric, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { createRelayMetrics } from '../src/metrics.ts'
import { BACKLOG_COUNTED_MAX } from '../src/observe-partitions.ts'
import { insertRows, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const HOUR_S = 3_600

async function readPartitions(pool: Pool, name: string): Promise<Record<string, number>> {
  const registry = createRegistry('test')
  createRelayMetrics(registry, pool)
  const metric = await registry.getSingleMetric(name)?.get()
  return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [String(labels.partition), value]))
}

/** Partitions that no relay runs, with so many rows in each. */
async function makeBacklog(pool: Pool, rows: Record<number, number>): Promise<void> {
  for (const [partition, count] of Object.entries(rows)) {
    await pool.query('insert into relay_partitions (partition) values ($1)', [partition])
    await pool.query(
      `insert into outbox (partition, key, payload, headers, created_at)
       select $1, 'k', '{}', '{}', now() - interval '1 hour' from generate_series(1, $2::int)`,
      [partition, count],
    )
  }
}

test('the backlog is told by partition, and counted no further than the bound', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  await makeBacklog(pool, { 0: 3, 1: 0, 2: BACKLOG_COUNTED_MAX + 5 })
  expect(await readPartitions(pool, 'streamledger_outbox_rows')).toEqual({ 0: 3, 1: 0, 2: BACKLOG_COUNTED_MAX })
  const ages = await readPartitions(pool, 'streamledger_outbox_oldest_seconds')
  expect(Object.keys(ages)).toEqual(['0', '2'])
  for (const age of Object.values(ages)) expect(age).toBeGreaterThanOrEqual(HOUR_S)
})

test('however often the metrics are asked for, rows are counted every 10 s at most', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  await makeBacklog(pool, { 0: 1 })
  const statements: string[] = []
  const query = (text: string, values: unknown[]) => {
    statements.push(text)
    return pool.query(text, values)
  }
  const registry = createRegistry('test')
  createRelayMetrics(registry, Object.assign(Object.create(pool), { query }))
  for (const _ of [1, 2, 3])
    expect(await registry.metrics()).toContain('streamledger_outbox_rows{partition="0",service="test"} 1\n')
  expect(statements.filter((text) => text.includes('count(*)::int as value'))).toHaveLength(1)
})

test("a receipt's age is told by partition, that of a halted one too", async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  await pool.query(
    `insert into relay_partitions (partition, receipt_at, halted_at, halted_reason)
     values (0, now() - interval '6 days', now(), 'of a test'), (1, now() - interval '1 hour', null, null), (2, null, null, null)`,
  )
  const ages = await readPartitions(pool, 'streamledger_relay_receipt_age_seconds')
  expect(Object.keys(ages)).toEqual(['0', '1'])
  expect(ages[0]).toBeGreaterThanOrEqual(6 * 24 * HOUR_S)
  expect(ages[1]).toBeLessThan(2 * HOUR_S)
})

test('while Postgres does not answer, what the relay knows by itself is told all the same', async () => {
  const registry = createRegistry('test')
  const taken = { totalCount: 8, idleCount: 0, waitingCount: 3, options: { max: 8 } }
  const failing = { ...taken, query: () => Promise.reject(new Error('down')) }
  const metrics = createRelayMetrics(registry, failing as unknown as Pool)
  metrics.doubts.inc()
  const text = await registry.metrics()
  expect(text).toContain('streamledger_relay_doubts_total{service="test"} 1')
  expect(text).toContain('database_connections{pool="main",state="waited_for",service="test"} 3')
  expect(text).not.toMatch(/^streamledger_outbox_/m)
})

test('a relay tells how long its batches took, how late they were, and what it took over', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const installation = await makeInstallation(pool, 2)
  const env = relayEnvironment({ url }, kafka.brokers, installation)
  const killed = await spawnService(RELAY, env)
  await killed.ready()
  await waitFor(async () => expect(await readMetric(killed, 'streamledger_relay_leases')).toBe(2))
  expect(await readMetric(killed, 'streamledger_relay_takeovers_total')).toBe(0)
  killed.signal('SIGKILL')
  await killed.exited

  await insertRows(pool, installation, { keys: 1, rows: 3 })
  await pool.query(`update outbox set created_at = created_at - interval '1 hour'`)
  const relay = await spawnService(RELAY, env)
  await relay.ready()
  await waitFor(async () => expect(await readMetric(relay, 'streamledger_relay_rows_published_total')).toBe(3), {
    timeoutMs: 20_000,
  })
  expect(await readMetric(relay, 'streamledger_relay_takeovers_total')).toBe(2)
  expect(await readMetric(relay, 'streamledger_relay_batch_duration_seconds_count')).toBe(1)
  expect(await readMetric(relay, 'streamledger_relay_batch_duration_seconds_sum')).toBeLessThan(20)
  const latency = await readMetric(relay, 'streamledger_relay_publish_latency_seconds_sum')
  expect(latency).toBeGreaterThan(HOUR_S)
  expect(latency).toBeLessThan(HOUR_S + 60)
})
