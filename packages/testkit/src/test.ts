import { test as base, inject } from 'vitest'
import type {} from './global-setup.ts' // what `inject` may ask for
import { type StartOwnCollector, startOwnCollector } from './own-collector.ts'
import { type StartOwnKafka, type StartProxiedKafka, startOwnKafka, startProxiedKafka } from './own-kafka.ts'
import { type StartOwnKafkaCluster, startOwnKafkaCluster } from './own-kafka-cluster.ts'
import { type StartOwnPostgres, startOwnPostgres } from './own-postgres.ts'
import { createOwnS3, type StartOwnS3 } from './own-s3.ts'
import { type StartSecuredKafka, startSecuredKafka } from './secured-kafka.ts'
import { type ServiceProcess, type SpawnService, spawnService } from './spawn-service.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'
import { createTestKafka } from './test-kafka.ts'

export { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject } from 'vitest'

const LOG_TAIL_CHARACTERS = 4_000

/** What starts an engine that only one test knows; whatever it has started is removed after that test. */
function removeAfter<Own extends { remove(): Promise<void> }, Options extends unknown[]>(
  onCleanup: (remove: () => Promise<void>) => void,
  start: (...options: Options) => Promise<Own>,
): (...options: Options) => Promise<Own> {
  const started: Own[] = []
  onCleanup(async () => void (await Promise.all(started.map(({ remove }) => remove()))))
  return async (...options) => {
    const own = await start(...options)
    started.push(own)
    return own
  }
}

/** vitest's `test` with the real engines: a database a file, topics of one's own, services as processes. */
export const test = base
  .extend('engines', { scope: 'worker' }, () => ({
    postgresUrl: inject('postgresUrl'),
    templateDatabase: inject('templateDatabase'),
    brokers: inject('brokers'),
    kafkaDoors: inject('kafkaDoors'),
  }))
  .extend('database', { scope: 'file' }, async ({ engines }, { onCleanup }) => {
    const database = await createTestDatabase(engines.postgresUrl, engines.templateDatabase)
    onCleanup(() => database.close())
    return database
  })
  // For tests about migrations, installations or outages, which must not touch the file's database.
  .extend('createDatabase', async ({ engines }, { onCleanup }) => {
    const databases: TestDatabase[] = []
    onCleanup(async () => void (await Promise.all(databases.map((database) => database.close()))))
    return async ({ empty = false } = {}): Promise<TestDatabase> => {
      const template = empty ? 'template0' : engines.templateDatabase
      const database = await createTestDatabase(engines.postgresUrl, template)
      databases.push(database)
      return database
    }
  })
  // For tests that kill it.
  .extend(
    'startPostgres',
    ({ engines: _ }, { onCleanup }): StartOwnPostgres => removeAfter(onCleanup, startOwnPostgres),
  )
  // For tests that kill it.
  .extend('startKafka', ({ engines: _ }, { onCleanup }): StartOwnKafka => removeAfter(onCleanup, () => startOwnKafka()))
  // For tests that cut it off, slow it down or make it silent.
  .extend(
    'startProxiedKafka',
    ({ engines: { brokers, kafkaDoors } }, { onCleanup }): StartProxiedKafka =>
      removeAfter(onCleanup, () => startProxiedKafka(brokers, kafkaDoors)),
  )
  // For tests about TLS and SASL.
  .extend(
    'startSecuredKafka',
    ({ engines: _ }, { onCleanup }): StartSecuredKafka => removeAfter(onCleanup, startSecuredKafka),
  )
  // For tests about traces.
  .extend(
    'startCollector',
    ({ engines: _ }, { onCleanup }): StartOwnCollector => removeAfter(onCleanup, startOwnCollector),
  )
  .extend('s3', { scope: 'file' }, ({ engines: _ }, { onCleanup }) => {
    const s3 = createOwnS3()
    onCleanup(() => s3.remove())
    return s3
  })
  // The tests of a file run one after the other: each has a bucket of its own, and may kill the S3.
  .extend('startS3', ({ s3 }): StartOwnS3 => s3.openBucket)
  // For tests about leaders, coordinators and replicas.
  .extend(
    'startKafkaCluster',
    ({ engines: _ }, { onCleanup }): StartOwnKafkaCluster => removeAfter(onCleanup, startOwnKafkaCluster),
  )
  .extend('kafka', { scope: 'file' }, ({ engines }) => createTestKafka(engines.brokers))
  .extend('spawnService', async ({ onTestFailed }, { onCleanup }): Promise<SpawnService> => {
    const services: ServiceProcess[] = []
    onTestFailed(() => {
      for (const { pid, logs } of services) console.log(`process ${pid}:\n${logs.slice(-LOG_TAIL_CHARACTERS)}`)
    })
    onCleanup(async () => {
      for (const service of services) service.signal('SIGKILL')
      await Promise.all(services.map((service) => service.exited))
    })
    return async (entryPath, env, args, options) => {
      const service = await spawnService(entryPath, env, args, options)
      services.push(service)
      return service
    }
  })
