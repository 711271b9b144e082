import { receiptGroupOf, transactionalIdOf } from '@streamledger/kafka'
import { expect, type OwnKafkaCluster, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { countOutbox, examine, type Installation, insertRows, makeInstallation, relayEnvironment } from '../system.ts'
import { withAdmin } from './receipt-group.ts'

// A broker that is gone stops the partitions that it alone has, and no others: before the cluster knows that it is gone,
// when requests to it fail or are not answered, and after, when these partitions have no leader.

const RELAY = 'services/relay/src/main.ts'
const PARTITIONS = 6
const KEYS = 60
/** The cluster takes so long to give a broker up. */
const SESSION_MS = 40_000
/** Much less than that. Partitions with several copies wait for them until `replica.lag.time.max.ms` has passed. */
const BEFORE_ITS_END_MS = 15_000
const SETTINGS = { 'broker.session.timeout.ms': String(SESSION_MS), 'replica.lag.time.max.ms': '1000' }

/** Each partition has one copy: on broker 1, 2, 3, 1, 2 and 3. */
const onBroker = (partition: number): number => 1 + (partition % 3)

async function createTopic(kafka: OwnKafkaCluster, topic: string): Promise<void> {
  const replicaAssignment = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    replicas: [onBroker(partition)],
  }))
  const configEntries = Object.entries({
    ...{ 'min.insync.replicas': '1', 'max.message.bytes': '2097152', 'cleanup.policy': 'delete' },
  }).map(([name, value]) => ({ name, value }))
  const [broker] = kafka.brokers.split(',') as [string]
  await withAdmin(broker, (admin) => admin.createTopics({ topics: [{ topic, replicaAssignment, configEntries }] }))
}

/** A broker that does not coordinate the receipts, and the partitions that do not need it. */
async function chooseVictim(kafka: OwnKafkaCluster, { topic, installationId }: Installation) {
  const coordinator = await kafka.coordinatorOf('group', receiptGroupOf(installationId))
  const needs = await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => [
      onBroker(partition),
      await kafka.coordinatorOf('transaction', transactionalIdOf(installationId, topic, partition)),
    ]),
  )
  const found = kafka.ids
    .filter((id) => id !== coordinator)
    .map((victim) => ({ victim, others: [...needs.keys()].filter((lane) => !needs[lane]?.includes(victim)) }))
  return found.toSorted((a, b) => b.others.length - a.others.length)[0] as (typeof found)[number]
}

async function readWaiting(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query('select distinct partition from outbox order by partition')
  return rows.map(({ partition }) => partition)
}

const drained = (pool: Pool, lanes: readonly number[], timeoutMs: number) =>
  waitFor(async () => expect((await readWaiting(pool)).filter((lane) => lanes.includes(lane))).toEqual([]), {
    timeoutMs,
  })

test.for(['kill', 'pause'] as const)(
  'a broker that is gone (%s) stops the partitions that it alone has, and no others',
  { timeout: 600_000 },
  async (how, { createDatabase, startKafkaCluster, spawnService }) => {
    const database = await createDatabase()
    const { pool } = database
    const kafka = await startKafkaCluster(SETTINGS)
    const installation = await makeInstallation(pool, PARTITIONS)
    await createTopic(kafka, installation.topic)
    const env = relayEnvironment(database, kafka.brokers.split(',').reverse().join(','), installation)
    const relay = await spawnService(RELAY, env)
    await relay.ready(90_000)
    let rounds = 0
    const insert = () => insertRows(pool, installation, { keys: KEYS, rows: KEYS, from: ++rounds })
    await insert()
    await waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 60_000 })

    const { victim, others } = await chooseVictim(kafka, installation)
    expect(others.length).toBeGreaterThan(0)
    const goneAt = performance.now()
    await kafka[how](victim)
    for (let round = 0; round < 4; round += 1) {
      await insert()
      await drained(pool, others, BEFORE_ITS_END_MS)
    }
    expect(performance.now() - goneAt).toBeLessThan(SESSION_MS)
    expect(await readWaiting(pool)).toEqual(expect.arrayContaining([victim - 1, victim + 2]))

    // Its partitions have no leader now, and other brokers coordinate what it did.
    await waitFor(() => performance.now() > goneAt + SESSION_MS + 5_000, { timeoutMs: 2 * SESSION_MS })
    const leaderless = [victim - 1, victim + 2]
    const led = Array.from({ length: PARTITIONS }, (_, lane) => lane).filter((lane) => !leaderless.includes(lane))
    await insert()
    await drained(pool, led, 60_000)
    relay.signal('SIGKILL')
    const heir = await spawnService(RELAY, env)
    await heir.ready(60_000)
    await insert()
    await drained(pool, led, 60_000)
    expect(await readWaiting(pool)).toEqual(leaderless)

    if (how === 'pause') kafka.resume(victim)
    else await kafka.start(victim)
    await waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 90_000 })
    const verdict = examine(await kafka.readAll(installation.topic))
    expect(verdict).toEqual({ distinct: rounds * KEYS, doubled: 0, outOfOrder: 0 })
    const halted = await pool.query('select partition from relay_partitions where halted_at is not null')
    expect(halted.rows).toEqual([])
  },
)
