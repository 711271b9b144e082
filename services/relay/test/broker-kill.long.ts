import { expect, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, insertRows, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const KILLS = 3
const KEYS = 60
const ROWS_A_ROUND = 600
/** Batches that are published between two kills, at least: so each kill meets transactions under way. */
const ROWS_BETWEEN_KILLS = 2_000

test('a single broker that is killed three times under load loses nothing, and nothing is there twice', async ({
  createDatabase,
  startKafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const kafka = await startKafka()
  const installation = await makeInstallation(database.pool, 6)
  const relay = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.brokers, installation),
    RELAY_BATCH_ROWS_MAX: '50',
  })
  await relay.ready()

  let inserted = 0
  const insert = async (rows: number) => {
    for (const end = inserted + rows; inserted < end; inserted += ROWS_A_ROUND) {
      await insertRows(database.pool, installation, { keys: KEYS, rows: ROWS_A_ROUND, from: 1 + inserted / KEYS })
    }
  }
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const before = inserted
    await insert(2 * ROWS_BETWEEN_KILLS)
    // In the middle of what was inserted, so that every lane is publishing.
    await waitFor(async () => (await countOutbox(database.pool)) <= inserted - before - ROWS_BETWEEN_KILLS, {
      timeoutMs: 180_000,
      intervalMs: 5,
    })
    await kafka.kill()
    await kafka.start()
  }
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 180_000 })
  expect(examine(await kafka.readAll(installation.topic))).toEqual({ distinct: inserted, doubled: 0, outOfOrder: 0 })
})
