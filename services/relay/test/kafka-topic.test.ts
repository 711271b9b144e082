import { randomUUID } from 'node:crypto'
import { createLogger } from '@streamledger/runtime'
import { expect, test, waitFor } from '@streamledger/testkit'
import { Kafka as KafkaClient, logLevel } from 'kafkajs'
import { lookAtSettings, prepareTopic, TopicError } from '../src/kafka-topic.ts'
import { countOutbox, examine, insertRows, makeInstallation, relayEnvironment } from './system.ts'

const BATCH_BYTES_MAX = 16_384
const logger = createLogger({ service: 'test', level: 'silent' })

const wanted = (brokers: string, topic: string) => ({
  ...{ access: { brokers: [brokers] }, topic, stepTimeoutMs: 5_000 },
  ...{ partitions: 2, replicationFactor: 1, batchBytesMax: BATCH_BYTES_MAX },
})

/** Creates a topic like another program might have. */
async function makeTopic(brokers: string, cleanupPolicy: string): Promise<string> {
  const topic = `test-${randomUUID()}`
  const admin = new KafkaClient({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const configEntries = [{ name: 'cleanup.policy', value: cleanupPolicy }]
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }], waitForLeaders: true })
  await admin.disconnect()
  return topic
}

test('a topic that the relay has made suits it, and not one that wants more of it', async ({ kafka }) => {
  const made = wanted(kafka.brokers, `test-${randomUUID()}`)
  await prepareTopic(made, logger)
  await prepareTopic(made, logger)
  for (const [more, advice] of [
    [{ partitions: 3 }, 'has 2 partitions and the database posts to 3: add the missing ones'],
    [
      { batchBytesMax: BATCH_BYTES_MAX + 1 },
      `accepts at most 32768 bytes per message: raise its max.message.bytes to 32770`,
    ],
  ] as const) {
    const refusal = prepareTopic({ ...made, ...more }, logger)
    await expect(refusal).rejects.toThrow(TopicError)
    await expect(refusal).rejects.toThrow(advice)
  }
  await prepareTopic({ ...made, partitions: 1, batchBytesMax: BATCH_BYTES_MAX - 1 }, logger)
})

test.for(['compact', 'compact,delete'])(
  'a topic that Kafka would drop events of is refused: %s',
  async (policy, { kafka }) => {
    const topic = await makeTopic(kafka.brokers, policy)
    const refusal = prepareTopic(wanted(kafka.brokers, topic), logger)
    await expect(refusal).rejects.toThrow(TopicError)
    await expect(refusal).rejects.toThrow('is compacted, which would drop events: set its cleanup.policy to delete')
  },
)

test('a relay whose topic does not suit ends, and says why, rather than to try again', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, 2)
  await prepareTopic({ ...wanted(kafka.brokers, installation.topic), partitions: 1 }, logger)
  const relay = await spawnService(
    'services/relay/src/main.ts',
    relayEnvironment(database, kafka.brokers, installation),
  )
  expect(await relay.exited).toEqual({ code: 1, signal: null })
  expect(relay.logs).toContain('has 1 partitions and the database posts to 2: add the missing ones')
})

test('a batch that a lowered setting refuses is named with the setting, and is published when that is raised', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const installation = await makeInstallation(pool, 1)
  const relay = await spawnService('services/relay/src/main.ts', relayEnvironment({ url }, kafka.brokers, installation))
  await relay.ready()
  await insertRows(pool, installation, { keys: 1, rows: 1 })
  await waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 30_000 })
  const { topic } = installation
  await kafka.configure(topic, { 'max.message.bytes': '1000' })
  await insertRows(pool, installation, { keys: 1, rows: 100, from: 2 })
  await waitFor(() => expect(relay.logs).toContain('batch refused, trying again'), { timeoutMs: 30_000 })
  const [, wanted] = new RegExp(`raise max.message.bytes of topic ${topic} to (\\d+) or more`).exec(relay.logs) ?? []
  await kafka.configure(topic, { 'max.message.bytes': String(wanted) })
  await waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 30_000 })
  expect(examine(await kafka.readAll(topic))).toEqual({ distinct: 101, doubled: 0, outOfOrder: 0 })
}, 120_000)

test('settings with which a relay would not start are found while it runs', async ({ kafka }) => {
  const made = wanted(kafka.brokers, `test-${randomUUID()}`)
  await prepareTopic(made, logger)
  expect(await lookAtSettings(made, logger)).toEqual([])
  await kafka.configure(made.topic, { 'cleanup.policy': 'compact', 'max.message.bytes': '32767' })
  await waitFor(async () => {
    expect(await lookAtSettings(made, logger)).toEqual([
      expect.stringContaining('accepts at most 32767 bytes'),
      expect.stringContaining('is compacted'),
    ])
  })
  expect(await lookAtSettings({ ...made, topic: 'none' }, logger)).toEqual([])
})
