import { expect, readMetric, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, insertRows, makeInstallation, readShares, relayEnvironment, sharesBecome } from './system.ts' // biome-ignore format: one line

const RELAY = 'services/relay/src/main.ts'
const LEASE_MS = 1_000

test('replicas share the partitions fairly, and one that is told to stop hands its own over at once', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 6)
  const env = { ...relayEnvironment(database, kafka.brokers, installation), RELAY_LEASE_MS: String(LEASE_MS) }
  const first = await spawnService(RELAY, env)
  await first.ready()
  await sharesBecome(database.pool, [6])

  await insertRows(database.pool, installation, { keys: 50, rows: 5_000 })
  const second = await spawnService(RELAY, env)
  const third = await spawnService(RELAY, env)
  await sharesBecome(database.pool, [2, 2, 2])

  await insertRows(database.pool, installation, { keys: 50, rows: 5_000, from: 101 })
  const stoppedAt = performance.now()
  first.signal('SIGTERM')
  expect(await first.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - stoppedAt).toBeLessThan(5_000)
  await sharesBecome(database.pool, [3, 3])

  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  expect(examine(await kafka.readAll(installation.topic))).toEqual({ distinct: 10_000, doubled: 0, outOfOrder: 0 })
  for (const replica of [second, third]) {
    replica.signal('SIGTERM')
    expect(await replica.exited).toEqual({ code: 0, signal: null })
  }
  expect(await readShares(database.pool)).toEqual([])
  const { rows } = await database.pool.query(
    'select count(*)::int as open from relay_partitions where batch_id is not null',
  )
  expect(rows[0].open).toBe(0)
}, 120_000)

test('a replica with nothing to do keeps its partitions', async ({ createDatabase, kafka, spawnService }) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 6)
  // A lane rests far longer than a step may take.
  const env = { ...relayEnvironment(database, kafka.brokers, installation), RELAY_STEP_TIMEOUT_MS: '500' }
  const relay = await spawnService(RELAY, { ...env, RELAY_LEASE_MS: String(LEASE_MS) })
  await relay.ready()
  await sharesBecome(database.pool, [6])
  const { rows } = await database.pool.query(
    'select array_agg(lease_token order by partition) as tokens from relay_partitions',
  )
  await waitFor(
    async () => {
      const beat = await database.pool.query(
        `select heartbeat_at - started_at > interval '5 seconds' as long from relay_instances`,
      )
      return beat.rows[0].long
    },
    { timeoutMs: 15_000 },
  )
  const after = await database.pool.query(
    'select array_agg(lease_token order by partition) as tokens from relay_partitions',
  )
  expect(after.rows).toEqual(rows)
})

test('a replica that sleeps past its lease and wakes is fenced: nothing is doubled', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 2)
  const env = {
    ...relayEnvironment(database, kafka.brokers, installation),
    RELAY_LEASE_MS: String(LEASE_MS),
    RELAY_BATCH_ROWS_MAX: '20',
  }
  await insertRows(database.pool, installation, { keys: 20, rows: 6_000 })
  const sleeper = await spawnService(RELAY, env)
  await sleeper.ready()
  await waitFor(async () => (await countOutbox(database.pool)) < 5_500, { timeoutMs: 30_000, intervalMs: 1 })
  sleeper.signal('SIGSTOP')
  const left = await countOutbox(database.pool)
  expect(left).toBeGreaterThan(0)

  const heir = await spawnService(RELAY, env)
  await heir.ready()
  await waitFor(async () => (await countOutbox(database.pool)) < left, { timeoutMs: 30_000, intervalMs: 5 })
  sleeper.signal('SIGCONT')
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  // Both are alive again and share: what is posted now comes out once, too.
  await insertRows(database.pool, installation, { keys: 20, rows: 200, from: 301 })
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  expect(examine(await kafka.readAll(installation.topic))).toEqual({ distinct: 6_200, doubled: 0, outOfOrder: 0 })
}, 120_000)

test('a lane that is stuck in one step loses its lease, though its process is well, and the partition flows on', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 1)
  const proxy = await startTcpProxy(database.url)
  const relay = await spawnService(RELAY, {
    ...relayEnvironment({ url: proxy.address }, kafka.brokers, installation),
    ...{ RELAY_LEASE_MS: String(LEASE_MS), RELAY_STEP_TIMEOUT_MS: '1000', STATEMENT_TIMEOUT_MS: '60000' },
  })
  await relay.ready()
  await insertRows(database.pool, installation, { keys: 5, rows: 20 })
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })

  // One connection is silent; over the others the replica goes on renewing its leases.
  const intent = proxy.hold('relay-intend')
  await insertRows(database.pool, installation, { keys: 5, rows: 20, from: 5 })
  await waitFor(() => intent.isCaught, { timeoutMs: 30_000 })
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  await waitFor(() => relay.logs.includes('lease lost'))
  intent.release()
  await insertRows(database.pool, installation, { keys: 5, rows: 20, from: 9 })
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  expect(examine(await kafka.readAll(installation.topic))).toEqual({ distinct: 60, doubled: 0, outOfOrder: 0 })
  relay.signal('SIGKILL')
  await relay.exited
  await proxy.close()
}, 120_000)

test('a partition whose receipt is ahead of Postgres halts and says so; the others go on', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 2)
  const env = { ...relayEnvironment(database, kafka.brokers, installation), RELAY_LEASE_MS: String(LEASE_MS) }
  await insertRows(database.pool, installation, { keys: 20, rows: 100 })
  const before = await spawnService(RELAY, env)
  await before.ready()
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  before.signal('SIGTERM')
  await before.exited

  // As after a restored backup: Postgres has forgotten a batch that Kafka has the receipt of.
  await database.pool.query('update relay_partitions set batch_seq = batch_seq - 1 where partition = 0')
  await insertRows(database.pool, installation, { keys: 20, rows: 100, from: 6 })
  const after = await spawnService(RELAY, env)
  await after.ready()
  await waitFor(async () => expect(await readMetric(after, 'streamledger_relay_partitions_halted')).toBe(1))
  const { rows } = await database.pool.query(
    'select partition, halted_reason from relay_partitions where halted_at is not null',
  )
  expect(rows).toEqual([{ partition: 0, halted_reason: expect.stringContaining('the receipt is of batch') }])

  const stuck = await database.pool.query('select count(*)::int as count from outbox where partition = 0')
  expect(stuck.rows[0].count).toBeGreaterThan(0)
  await waitFor(async () => expect(await countOutbox(database.pool)).toBe(stuck.rows[0].count))
  await waitFor(() => expect(after.logs).toContain('partition halted'))
}, 60_000)

test('a database of another installation is refused with the line that helps', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 2)
  const relay = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.brokers, installation),
    INSTALLATION_ID: '00000000-0000-4000-8000-000000000000',
  })
  expect(await relay.exited).toEqual({ code: 1, signal: null })
  expect(relay.logs).toContain(`set INSTALLATION_ID=${installation.installationId}`)
})
