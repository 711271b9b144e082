import { expect, isReady, readMetric, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, insertRows, makeInstallation, relayEnvironment, sharesBecome } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const KEYS = 50
/** About 10 s until a replica steps down, one step, and a lease. */
const STEP_DOWN = { timeoutMs: 30_000 }
const STEPPED_DOWN = 'gives its partitions up'

const ready = ({ opsUrl }: ServiceProcess): Promise<boolean> => isReady(opsUrl, 5_000)
const isStill = (relay: ServiceProcess) => expect(relay.logs).not.toContain(STEPPED_DOWN)

test.for(['is cut off from', 'gets no answer from'] as const)(
  'a replica that %s Kafka and reaches Postgres gives its partitions to another, is not ready, and returns',
  { timeout: 180_000 },
  async (what, { createDatabase, startProxiedKafka, spawnService }) => {
    const [database, kafka] = await Promise.all([createDatabase(), startProxiedKafka()])
    const { pool } = database
    const installation = await makeInstallation(pool, 6)
    const insert = (from: number) => insertRows(pool, installation, { keys: KEYS, rows: KEYS, from })
    const isDrained = () => waitFor(async () => (await countOutbox(pool)) === 0, STEP_DOWN)
    const start = async (brokers: string) => {
      const relay = await spawnService(RELAY, relayEnvironment(database, brokers, installation))
      await relay.ready()
      return relay
    }
    const lost = await start(kafka.proxiedBrokers)
    const well = await start(kafka.brokers)
    await sharesBecome(pool, [3, 3])
    await insert(1)
    await isDrained()

    if (what === 'is cut off from') kafka.proxy.goDown()
    else kafka.proxy.hang()
    await insert(2)
    await isDrained()
    await sharesBecome(pool, [6])
    expect(await ready(lost)).toBe(false)
    expect(await ready(well)).toBe(true)
    expect(await readMetric(lost, 'streamledger_relay_stepped_down')).toBe(1)
    isStill(well)
    const { rows } = await pool.query('select failing_since from relay_instances')
    expect(rows, 'it no longer counts as a replica').toEqual([{ failing_since: null }])

    kafka.proxy.release()
    kafka.proxy.comeUp()
    await waitFor(() => ready(lost), { timeoutMs: 60_000 })
    await sharesBecome(pool, [3, 3])
    await insert(3)
    await isDrained()
    expect(examine(await kafka.readAll(installation.topic))).toEqual({ distinct: 3 * KEYS, doubled: 0, outOfOrder: 0 })
  },
)

test('while no replica reaches Kafka, each keeps its partitions and stays ready, and the log stays short', async ({
  createDatabase,
  startKafka,
  spawnService,
}) => {
  const [database, kafka] = await Promise.all([createDatabase(), startKafka()])
  const { pool } = database
  const installation = await makeInstallation(pool, 6)
  const relays = await Promise.all(
    [1, 2].map(async () => {
      const relay = await spawnService(RELAY, relayEnvironment(database, kafka.brokers, installation))
      await relay.ready()
      return relay
    }),
  )
  await sharesBecome(pool, [3, 3])
  await insertRows(pool, installation, { keys: KEYS, rows: KEYS })
  await waitFor(async () => (await countOutbox(pool)) === 0, STEP_DOWN)
  const readTokens = async () =>
    (await pool.query('select array_agg(lease_token order by partition) as tokens from relay_partitions')).rows
  const tokens = await readTokens()
  const linesBefore = relays.map(({ logs }) => logs.split('\n').length)

  await kafka.kill()
  await insertRows(pool, installation, { keys: KEYS, rows: KEYS, from: 2 })
  const failedFor = `select min(now() - failing_since) > interval '15 seconds' as long from relay_instances
                      having count(failing_since) = 2`
  await waitFor(async () => (await pool.query(failedFor)).rows[0]?.long, { timeoutMs: 60_000 })
  for (const relay of relays) {
    isStill(relay)
    expect(await ready(relay)).toBe(true)
  }
  await kafka.start()
  await waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 60_000 })
  expect(await readTokens()).toEqual(tokens)
  expect(examine(await kafka.readAll(installation.topic))).toEqual({ distinct: 2 * KEYS, doubled: 0, outOfOrder: 0 })
  for (const [index, relay] of relays.entries()) {
    await waitFor(() => expect(relay.logs).toContain('no partition of this replica is in doubt any more'))
    isStill(relay)
    expect(relay.logs.split('\n').length - (linesBefore[index] ?? 0)).toBeLessThan(20)
  }
}, 180_000)
