import { createLogger, createRegistry, type Logger } from '@streamledger/runtime'
import { expect, type TestDatabase, test, waitFor } from '@streamledger/testkit'
import { createRelayMetrics } from '../src/metrics.ts'
import { watchPartitions } from '../src/watch-partitions.ts'
import { makeInstallation } from './system.ts'

/** Watches a topic whose number of partitions the test sets, and collects what is reported. */
function watch({ pool }: TestDatabase, found: number) {
  const told: (number | string)[] = []
  const silent = createLogger({ service: 'test', level: 'silent' })
  const logger: Logger = Object.assign(Object.create(silent), {
    error: ({ found, fault }: { found: number; fault?: string }) => told.push(fault ?? found),
  })
  const metrics = createRelayMetrics(createRegistry('test'), pool)
  const stop = new AbortController()
  const topic = { found, looks: 0, faults: [] as string[] }
  const countPartitions = async () => {
    topic.looks += 1
    return topic.found
  }
  const identify = async () => ({ clusterId: 'one', topicId: 'one' })
  const kafka = { countPartitions, identify }
  const ended = watchPartitions(
    { pool, kafka, logger, metrics, intervalMs: 1, lookAtSettings: async () => topic.faults },
    stop.signal,
  )
  return {
    told,
    grow: (partitions: number) => {
      topic.found = partitions
    },
    alter: (faults: string[]) => {
      topic.faults = faults
    },
    unsafe: async () => (await metrics.unsafeSettings.get()).values[0]?.value,
    unknown: async () => (await metrics.unknownPartitions.get()).values[0]?.value,
    /** Two looks that began after this question: the first of them has ended. */
    looked: () => {
      const before = topic.looks
      return waitFor(() => topic.looks >= before + 2)
    },
    stop: () => {
      stop.abort()
      return ended
    },
  }
}

test('partitions that somebody added are told of once, and again when they are others', async ({ createDatabase }) => {
  const database = await createDatabase()
  await makeInstallation(database.pool, 2)
  const watching = watch(database, 2)
  await watching.looked()
  expect(await watching.unknown()).toBe(0)
  watching.grow(5)
  await waitFor(async () => expect(await watching.unknown()).toBe(3))
  await watching.looked()
  expect(watching.told).toEqual([5])
  watching.grow(6)
  await waitFor(async () => expect(await watching.unknown()).toBe(4))
  expect(watching.told).toEqual([5, 6])
  await watching.stop()
})

test('a topic that is being grown alarms nobody, though Kafka has its new partitions first', async ({
  createDatabase,
}) => {
  const database = await createDatabase()
  await makeInstallation(database.pool, 2)
  await database.pool.query(`update topic set paused = true, paused_reason = 'the topic grows to 5 partitions'`)
  const watching = watch(database, 5)
  await watching.looked()
  expect(await watching.unknown()).toBe(0)
  await database.pool.query('update topic set partitions = 5, paused = false, paused_reason = null')
  await watching.looked()
  expect(await watching.unknown()).toBe(0)
  expect(watching.told).toEqual([])
  await watching.stop()
})

test('unsafe settings that somebody gave the topic are told of once, and counted until they are safe', async ({
  createDatabase,
}) => {
  const database = await createDatabase()
  await makeInstallation(database.pool, 2)
  const watching = watch(database, 2)
  await watching.looked()
  expect(await watching.unsafe()).toBe(0)
  watching.alter(['it is compacted'])
  await waitFor(async () => expect(await watching.unsafe()).toBe(1))
  await watching.looked()
  expect(watching.told).toEqual(['it is compacted'])
  watching.alter([])
  await waitFor(async () => expect(await watching.unsafe()).toBe(0))
  watching.alter(['it is compacted'])
  await waitFor(async () => expect(await watching.unsafe()).toBe(1))
  expect(watching.told).toEqual(['it is compacted', 'it is compacted'])
  await watching.stop()
})
