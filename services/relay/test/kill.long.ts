import { expect, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, insertRows, makeInstallation, relayEnvironment } from './system.ts'

const ROWS = 20_000
const KILLS = 10
const RELAY = 'services/relay/src/main.ts'

test('a relay killed ten times while it drains 20,000 rows publishes each exactly once, in order', async ({
  database,
  kafka,
  spawnService,
}) => {
  const installation = await makeInstallation(database.pool, 6)
  await insertRows(database.pool, installation, { keys: 100, rows: ROWS })
  // Small batches, so that a drain lasts long enough to be killed in.
  const env = {
    ...relayEnvironment(database, kafka.brokers, installation),
    RELAY_BATCH_ROWS_MAX: '50',
    RELAY_LEASE_MS: '1000',
  }

  let killedInMidDrain = 0
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const relay = await spawnService(RELAY, env)
    await relay.ready()
    const left = await countOutbox(database.pool)
    const share = Math.ceil(left / (KILLS - kill + 2))
    // At a random moment in this part of the drain.
    const killAt = left - 1 - Math.floor(Math.random() * share)
    await waitFor(async () => (await countOutbox(database.pool)) <= killAt, { timeoutMs: 30_000, intervalMs: 1 })
    relay.signal('SIGKILL')
    await relay.exited
    if ((await countOutbox(database.pool)) > 0) killedInMidDrain += 1
  }
  const last = await spawnService(RELAY, env)
  await last.ready()
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })

  const records = await kafka.readAll(installation.topic)
  expect(examine(records)).toEqual({ distinct: ROWS, doubled: 0, outOfOrder: 0 })
  expect(killedInMidDrain).toBeGreaterThanOrEqual(KILLS - 1)
}, 180_000)
