import { receiptGroupOf, transactionalIdOf } from '@streamledger/kafka'
import { expect, type OwnKafkaCluster, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, makeInstallation, relayEnvironment, startFlow } from '../system.ts'

const RELAY = 'services/relay/src/main.ts'
/** No more waits than a loaded machine publishes in seconds. */
const FLOW = { keys: 40, waitingMax: 200, timeoutMs: 120_000 }
/** So many rows are published after each change before the next one: it met a relay at work. */
const ROWS_BETWEEN = 400

async function disturb(
  kafka: OwnKafkaCluster,
  id: number,
  how: 'kill' | 'stop',
  flow: ReturnType<typeof startFlow>,
): Promise<void> {
  await kafka[how](id)
  await flow.flowed(ROWS_BETWEEN)
  await kafka.start(id)
  await flow.flowed(ROWS_BETWEEN)
}

test('of three brokers the leader, the coordinators, and then each in turn go, and no event is lost or doubled', async ({
  createDatabase,
  startKafkaCluster,
  spawnService,
}) => {
  const database = await createDatabase()
  const kafka = await startKafkaCluster()
  const installation = await makeInstallation(database.pool, 4)
  const env = {
    ...relayEnvironment(database, kafka.brokers, installation),
    TOPIC_REPLICATION_FACTOR: '3',
    RELAY_BATCH_ROWS_MAX: '20',
  }
  const relays = await Promise.all([spawnService(RELAY, env), spawnService(RELAY, env)])
  await Promise.all(relays.map((relay) => relay.ready(90_000)))
  const { topic, installationId } = installation
  const flow = startFlow(database.pool, installation, FLOW)
  try {
    await flow.flowed(ROWS_BETWEEN)
    await disturb(kafka, await kafka.leaderOf(topic, 0), 'kill', flow)
    await disturb(
      kafka,
      await kafka.coordinatorOf('transaction', transactionalIdOf(installationId, topic, 0)),
      'kill',
      flow,
    )
    await disturb(kafka, await kafka.coordinatorOf('group', receiptGroupOf(installationId)), 'kill', flow)
    for (const id of kafka.ids) await disturb(kafka, id, 'stop', flow)
  } finally {
    await flow.stop()
  }
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 60_000 })
  const inserted = await flow.stop()
  expect(examine(await kafka.readAll(topic))).toEqual({ distinct: inserted, doubled: 0, outOfOrder: 0 })
  const halted = await database.pool.query('select partition from relay_partitions where halted_at is not null')
  expect(halted.rows).toEqual([])
}, 600_000)
