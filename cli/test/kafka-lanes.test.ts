import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import { withLaneKafka } from '../src/resolve/kafka-lanes.ts'
import { withKafkaAdmin } from '../src/topic/kafka-admin.ts'
import { makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'
import { withoutLeader } from './without-leader.ts'

test('a partition is fenced while a partition of another topic has no leader', async ({ startProxiedKafka }) => {
  const { proxy, proxiedBrokers, createTopic } = await startProxiedKafka()
  const topic = await createTopic(1)
  const other = await createTopic(1)
  const stream = { kafka: { brokers: [proxiedBrokers] }, topic, installationId: randomUUID() }
  let changed = 0
  const rewrite = (answer: Buffer): Buffer => {
    if (answer.includes(other)) changed += 1
    return withoutLeader(answer, other, 0)
  }
  proxy.disturb('Metadata', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
  await withLaneKafka(stream, (lanes) => lanes.fence(0))
  expect(changed, 'the other topic was asked for').toBeGreaterThan(0)
}, 120_000)

test('the settings of a topic are read while a partition of another topic has no leader', async ({
  startProxiedKafka,
}) => {
  const { proxy, proxiedBrokers, createTopic } = await startProxiedKafka()
  const topic = await createTopic(2)
  const other = await createTopic(1)
  const rewrite = (answer: Buffer): Buffer => withoutLeader(answer, other, 0)
  proxy.disturb('Metadata', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
  const state = await withKafkaAdmin({ brokers: [proxiedBrokers] }, (admin) => admin.readTopic(topic))
  expect(state).toMatchObject({ partitions: 2 })
}, 120_000)

test('one partition is reconciled while another one has no leader, and nothing is resolved then, nor paused', async ({
  startProxiedKafka,
  createDatabase,
}) => {
  const kafka = await startProxiedKafka()
  const ledger = await makeLedger(await createDatabase(), kafka)
  const env = { ...ledger.env, KAFKA_BROKERS: kafka.proxiedBrokers }
  const rewrite = (answer: Buffer): Buffer => withoutLeader(answer, ledger.topic.name, 0)
  kafka.proxy.disturb('Metadata', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
  const since = ['--since', '1h', '--until', '1m']
  expect(await runCli(['reconcile', '--partition', '1', '--json', ...since], env)).toMatchObject({ code: 0 })
  const all = ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', 'a test', '--yes']
  expect(await runCli(all, env)).toMatchObject({ code: 2, stderr: expect.stringContaining('no leader') })
  const { rows } = await ledger.pool.query('select paused, halted_at from topic, relay_partitions')
  expect(rows).toEqual([1, 2].map(() => ({ paused: false, halted_at: null })))
}, 120_000)

test('relay resolve --all that fails half-way says that posting stays paused', async ({
  startProxiedKafka,
  createDatabase,
}) => {
  const kafka = await startProxiedKafka()
  const ledger = await makeLedger(await createDatabase(), kafka)
  kafka.proxy.disturb('InitProducerId', { kind: 'refuse', error: 'INVALID_PRODUCER_EPOCH' }, Number.POSITIVE_INFINITY)
  const all = ['relay', 'resolve', '--all', '--reason', 'a test', '--yes']
  const failed = await runCli(all, { ...ledger.env, KAFKA_BROKERS: kafka.proxiedBrokers })
  expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining('Posting stays paused') })
  const { rows } = await ledger.pool.query('select paused from topic')
  expect(rows).toEqual([{ paused: true }])
}, 120_000)

test('commands end, and name the addresses, where a broker takes connections and does not answer', async ({
  startProxiedKafka,
  createDatabase,
}) => {
  const kafka = await startProxiedKafka()
  const ledger = await makeLedger(await createDatabase(), kafka)
  kafka.proxy.disturb('ApiVersions', { kind: 'lose_answer' }, Number.POSITIVE_INFINITY)
  const env = { ...ledger.env, KAFKA_BROKERS: kafka.proxiedBrokers }
  const ended = await Promise.all(
    [['topic', 'create'], ['reconcile'], ['relay', 'adopt-cluster']].map((args) => runCli(args, env)),
  )
  for (const { code, stderr } of ended) {
    expect(code).toBe(2)
    expect(stderr).toContain(`Kafka at ${kafka.proxiedBrokers} cannot be reached`)
  }
}, 120_000)
