import { expect, type ServiceProcess, type TestKafka, test, waitFor } from '@streamledger/testkit'
import { Kafka as KafkaClient, logLevel } from 'kafkajs'
import type { Pool } from 'pg'
import { countOutbox, type Installation, insertRows, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const KEYS = 8
const PARTITIONS = 2
// A topic of a test takes no larger batches.
const SOON = { RELAY_RECEIPT_PATIENCE_MS: '500', RELAY_LEASE_MS: '1000', RELAY_BATCH_BYTES_MAX: '500000' }
const LOOKS_OFTEN = { RELAY_TOPIC_CHECK_MS: '100' }
const NEVER_LOOKS = { RELAY_TOPIC_CHECK_MS: '3600000' }
const PATIENT = { timeoutMs: 40_000 }

const readLanes = async (pool: Pool) =>
  (await pool.query('select partition, next_offset, halted_reason from relay_partitions order by partition')).rows
const readPins = async (pool: Pool) => (await pool.query('select kafka_cluster_id, kafka_topic_id from topic')).rows[0]

const isEmpty = (pool: Pool) => waitFor(async () => (await countOutbox(pool)) === 0, PATIENT)

const haltedBecause = (pool: Pool, reason: string) =>
  waitFor(async () => {
    const reasons = (await readLanes(pool)).map(({ halted_reason }) => halted_reason)
    expect(reasons).toEqual(Array.from({ length: PARTITIONS }, () => expect.stringContaining(reason)))
  }, PATIENT)

/** A relay that has published some rows of each partition. */
async function startPublished(
  pool: Pool,
  start: (installation: Installation) => Promise<ServiceProcess>,
): Promise<{ installation: Installation; relay: ServiceProcess }> {
  const installation = await makeInstallation(pool, PARTITIONS)
  await insertRows(pool, installation, { keys: KEYS, rows: KEYS * 4 })
  const relay = await start(installation)
  await isEmpty(pool)
  return { installation, relay }
}

test('a topic that was created again halts an idle partition at its next batch, which is not published', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const { installation } = await startPublished(pool, (made) =>
    spawnService(RELAY, { ...relayEnvironment({ url }, kafka.brokers, made), ...SOON, ...NEVER_LOOKS }),
  )
  const before = await readLanes(pool)
  await kafka.createTopicAnew(installation.topic, PARTITIONS)
  await insertRows(pool, installation, { keys: KEYS, rows: KEYS, from: 5 })
  await waitFor(async () => {
    const reasons = (await readLanes(pool)).map(({ halted_reason }) => halted_reason)
    expect(reasons.every((reason) => /would begin at offset 0|created again/.test(reason))).toBe(true)
  }, PATIENT)
  const after = await readLanes(pool)
  expect(after.map(({ next_offset }) => next_offset)).toEqual(before.map(({ next_offset }) => next_offset))
  expect(await kafka.readAll(installation.topic)).toEqual([])
  expect(await countOutbox(pool)).toBe(KEYS)
})

test('a topic that was created again halts an idle relay, though no row comes', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const { installation, relay } = await startPublished(pool, (made) =>
    spawnService(RELAY, { ...relayEnvironment({ url }, kafka.brokers, made), ...SOON, ...LOOKS_OFTEN }),
  )
  await kafka.createTopicAnew(installation.topic, PARTITIONS)
  await haltedBecause(pool, 'the topic was deleted and created again')
  await waitFor(() => expect(relay.logs).toContain('partition halted'))
})

test('a topic that was created again while no relay ran halts, though others have filled it past the old end', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const start = (made: Installation) =>
    spawnService(RELAY, { ...relayEnvironment({ url }, kafka.brokers, made), ...SOON, ...LOOKS_OFTEN })
  const { installation, relay } = await startPublished(pool, start)
  const pins = await readPins(pool)
  expect(pins).toEqual({ kafka_cluster_id: expect.any(String), kafka_topic_id: expect.stringMatching(/^[\w-]{22}$/) })
  relay.signal('SIGTERM')
  await relay.exited
  await kafka.createTopicAnew(installation.topic, PARTITIONS)
  await fill(kafka, installation.topic)
  await start(installation)
  await haltedBecause(pool, `the events were published to the one with id ${pins.kafka_topic_id}`)
  expect(await readPins(pool)).toEqual(pins)
})

/** As a mirror would. */
async function fill({ brokers }: TestKafka, topic: string): Promise<void> {
  const producer = new KafkaClient({ brokers: [brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const messages = Array.from({ length: 100 }, (_, index) => ({ value: `mirrored ${index}`, partition }))
    await producer.send({ topic, messages })
  }
  await producer.disconnect()
}

test('another cluster at the same address ends a running relay, and one that starts, and gets no topic', async ({
  createDatabase,
  startKafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const kafka = await startKafka()
  const start = (made: Installation) =>
    spawnService(RELAY, { ...relayEnvironment({ url }, kafka.brokers, made), ...SOON, ...LOOKS_OFTEN })
  const { installation, relay } = await startPublished(pool, start)
  const pins = await readPins(pool)
  await kafka.replace()
  expect(await relay.exited).toEqual({ code: 1, signal: null })
  expect(relay.logs).toContain(`the events of this database are in cluster ${pins.kafka_cluster_id}`)
  expect(relay.logs).toContain('streamledger relay adopt-cluster')
  const again = await start(installation)
  expect(await again.exited).toEqual({ code: 1, signal: null })
  expect(again.logs).toContain(`the events of this database are in cluster ${pins.kafka_cluster_id}`)
  const admin = new KafkaClient({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  expect(await admin.listTopics()).not.toContain(installation.topic)
  await admin.disconnect()
  expect((await readLanes(pool)).map(({ halted_reason }) => halted_reason)).toEqual([null, null])
  expect(await readPins(pool)).toEqual(pins)
}, 180_000)

test('a database whose events are in some Kafka records only the one that has its receipts', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const start = (made: Installation) =>
    spawnService(RELAY, { ...relayEnvironment({ url }, kafka.brokers, made), ...SOON, ...LOOKS_OFTEN })
  // As after an upgrade, with the addresses of another Kafka: one partition was never used.
  const installation = await makeInstallation(pool, PARTITIONS)
  await pool.query('update relay_partitions set batch_seq = 9, next_offset = 70 where partition = 1')
  const astray = await start(installation)
  await waitFor(async () => {
    const [unused, used] = await readLanes(pool)
    expect(unused).toMatchObject({ next_offset: 0, halted_reason: null })
    expect(used.halted_reason).toContain('before the end of batch 9 at 70')
  }, PATIENT)
  expect(await readPins(pool)).toEqual({ kafka_cluster_id: null, kafka_topic_id: null })
  astray.signal('SIGTERM')
  await astray.exited
  // The one with a receipt.
  await pool.query('update relay_partitions set batch_seq = 0, next_offset = 0, halted_at = null, halted_reason = null')
  await pool.query('update relay_partitions set batch_seq = 9, next_offset = 70 where partition = 1')
  await start(installation)
  await waitFor(async () => expect((await readPins(pool)).kafka_cluster_id).toEqual(expect.any(String)), PATIENT)
})
