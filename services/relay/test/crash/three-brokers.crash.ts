import { expect, type OwnKafkaCluster, type TestDatabase, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, type Installation, insertRows, makeInstallation, relayEnvironment } from '../system.ts'

const RELAY = 'services/relay/src/main.ts'
const KEYS = 40
const INSERT_PAUSE_MS = 50
/** So many rows are published after each change before the next one: it met a relay at work. */
const ROWS_BETWEEN = 400
/** No more than a loaded machine publishes in seconds. */
const WAITING_ROWS_MAX = 200

/** Inserts rows as they are published, until it is told to stop. */
function startFlow({ pool }: TestDatabase, installation: Installation) {
  let inserted = 0
  let isOver = false
  const insert = async (): Promise<void> => {
    while (!isOver) {
      if ((await countOutbox(pool)) < WAITING_ROWS_MAX) {
        await insertRows(pool, installation, { keys: KEYS, rows: KEYS, from: 1 + inserted / KEYS })
        inserted += KEYS
      }
      await new Promise((resolve) => setTimeout(resolve, INSERT_PAUSE_MS))
    }
  }
  const ended = insert()
  ended.catch(() => {}) // told by `stop`
  return {
    /** Rows that were not there before are published. */
    flowed: async (): Promise<void> => {
      const before = inserted
      await waitFor(async () => inserted - (await countOutbox(pool)) >= before + ROWS_BETWEEN, { timeoutMs: 120_000 })
    },
    /** Says how many it has inserted. */
    stop: async (): Promise<number> => {
      isOver = true
      await ended
      return inserted
    },
  }
}

async function disturb(
  kafka: OwnKafkaCluster,
  id: number,
  how: 'kill' | 'stop',
  flow: ReturnType<typeof startFlow>,
): Promise<void> {
  await kafka[how](id)
  await flow.flowed()
  await kafka.start(id)
  await flow.flowed()
}

test('of three brokers the leader, the coordinators, and then each in turn go, and no event is lost or doubled', async ({
  createDatabase,
  startKafkaCluster,
  spawnService,
}) => {
  const database = await createDatabase()
  const kafka = await startKafkaCluster()
  const installation = await makeInstallation(database.db, 4)
  const env = {
    ...relayEnvironment(database, kafka.brokers, installation),
    TOPIC_REPLICATION_FACTOR: '3',
    RELAY_BATCH_ROWS_MAX: '20',
  }
  const relays = await Promise.all([spawnService(RELAY, env), spawnService(RELAY, env)])
  await Promise.all(relays.map((relay) => relay.ready(90_000)))
  const { topic, installationId } = installation
  const flow = startFlow(database, installation)
  try {
    await flow.flowed()
    await disturb(kafka, await kafka.leaderOf(topic, 0), 'kill', flow)
    await disturb(kafka, await kafka.coordinatorOf('transaction', `${installationId}-${topic}-0`), 'kill', flow)
    await disturb(kafka, await kafka.coordinatorOf('group', `streamledger.relay.${installationId}`), 'kill', flow)
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
