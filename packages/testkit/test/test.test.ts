import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { expect, test, waitFor } from '../src/index.ts'

test('a test file has a migrated database of its own', async ({ database }) => {
  const { rows } = await database.pool.query('select current_database() as name, count(*) as n from schema_migrations')
  expect(rows[0].name).toMatch(/^test_/)
  expect(rows[0].n).toBeGreaterThan(0)
})

test('a test can have further databases, migrated or empty', async ({ database, createDatabase }) => {
  const migrated = await createDatabase()
  const empty = await createDatabase({ empty: true })
  const find = "select to_regclass('wallets') as wallets"
  expect((await migrated.pool.query(find)).rows).toEqual([{ wallets: 'wallets' }])
  expect((await empty.pool.query(find)).rows).toEqual([{ wallets: null }])
  expect(migrated.url).not.toBe(database.url)
})

test('readAll sees committed records and no aborted ones, up to the end', async ({ kafka }) => {
  const topic = await kafka.createTopic(2)
  const client = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING })
  const producer = client.producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const [value, outcome] of [
    ['kept', 'commit'],
    ['dropped', 'abort'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ key: 'k', value, partition: 1, headers: { ce_id: '7' } }] })
    await transaction[outcome]()
  }
  await producer.disconnect()

  expect(await kafka.readAll(topic)).toEqual([
    { key: 'k', value: 'kept', headers: { ce_id: '7' }, partition: 1, offset: 0, sentAtMs: expect.any(Number) },
  ])
  expect(await kafka.readAll(topic, { readCommitted: false })).toHaveLength(2)
  await expect(kafka.readAll(topic, { count: 2, timeoutMs: 500 })).rejects.toThrow(
    'not done after 500 ms, with 1 records',
  )
  expect(await kafka.readAll(await kafka.createTopic(1))).toEqual([])
})

test('a spawned service reports why it is not ready', async ({ spawnService }) => {
  const service = await spawnService('packages/testkit/test/no-service.ts', {})
  await expect(service.ready()).rejects.toThrow(/exited before it was ready:[\s\S]*no-service/)
  expect(await service.exited).toEqual({ code: 1, signal: null })
})

test('waitFor gives up at its deadline and says why it failed last', async () => {
  await expect(waitFor(() => Promise.reject(new Error('not yet')), { timeoutMs: 50 })).rejects.toThrow('not yet')
  let attempts = 0
  expect(await waitFor(() => ++attempts > 2 && attempts)).toBe(3)
})
