import { createRegistry } from '@streamledger/runtime'
import { expect, test } from '@streamledger/testkit'
import { createRelayMetrics } from '../src/metrics.ts'

test('what a scrape itself asks of Postgres does not look like somebody who waits for a connection', async ({
  database,
}) => {
  const { pool } = database
  await Promise.all([pool.query('select'), pool.query('select')])
  const registry = createRegistry('relay')
  createRelayMetrics(registry, pool)
  expect(await registry.metrics()).toMatch(
    /^database_connections\{pool="main",state="waited_for",service="relay"\} 0$/m,
  )
})
