import { randomUUID } from 'node:crypto'
import { test as base, expect } from '@streamledger/testkit'
import { runCli } from './run-cli.ts'

const test = base.extend('env', ({ kafka }) => ({
  KAFKA_BROKERS: kafka.brokers,
  KAFKA_TOPIC: `made-${randomUUID()}`,
  TOPIC_PARTITIONS: '3',
  TOPIC_REPLICATION_FACTOR: '1',
}))
const create = (env: Record<string, string>, ...args: string[]) => runCli(['topic', 'create', '--json', ...args], env)

test('a topic is made as the promise needs it, and a second run finds nothing to do', async ({ env }) => {
  const first = await create(env)
  expect(first.json).toMatchObject({ ok: true, created: true, partitions: 3, differences: [], internal: [] })
  expect(first.code).toBe(0)
  const second = await create(env)
  expect(second.json).toMatchObject({ ok: true, created: false, differences: [] })
  expect(second.code).toBe(0)
})

test('a topic that is otherwise is left as it is, and each difference is named', async ({ env }) => {
  await create(env)
  const other = { ...env, RELAY_BATCH_BYTES_MAX: '2097152' }
  const { code, json } = await create(other, '--partitions', '6')
  expect(code).toBe(1)
  expect(json).toMatchObject({ ok: false, created: false })
  expect(json.differences).toEqual([
    { setting: 'partitions', found: '3', wanted: '6' },
    { setting: 'max.message.bytes', found: '2097152', wanted: '4194304' },
  ])
  const text = await runCli(['topic', 'create', '--partitions', '6'], env)
  expect(text.stdout).toContain('streamledger topic grow')
})

test('a topic that was made by somebody else with the defaults is told from ours', async ({ env, kafka }) => {
  const topic = await kafka.createTopic(3)
  const { code, json } = await create({ ...env, KAFKA_TOPIC: topic })
  expect(code).toBe(1)
  const settings = json.differences.map(({ setting }: { setting: string }) => setting)
  expect(settings).toEqual(['retention.ms', 'max.message.bytes'])
})

test('more copies than there are brokers are refused with the line that helps', async ({ env }) => {
  const { code, json } = await create({ ...env, TOPIC_REPLICATION_FACTOR: '3' })
  expect(code).toBe(2)
  expect(json.error).toMatchObject({ code: 'unsuitable', message: expect.stringContaining('3 copies need as many brokers, and this Kafka has 1') }) // biome-ignore format: one line
  expect((await create({ ...env }, '--replication-factor', '0')).json.error.code).toBe('usage')
})

test('without a replication factor, the number of brokers decides, as in the relay', async ({ env }) => {
  const { code, json } = await create({ ...env, TOPIC_REPLICATION_FACTOR: '' })
  expect(json).toMatchObject({ ok: true, created: true, replication_factor: 1, differences: [], internal: [] })
  expect(code).toBe(0)
})
