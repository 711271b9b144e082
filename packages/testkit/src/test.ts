import { test as base, inject } from 'vitest'
import type {} from './global-setup.ts' // what `inject` may ask for
import { type StartOwnKafka, type StartProxiedKafka, startOwnKafka, startProxiedKafka } from './own-kafka.ts'
import { type StartOwnKafkaCluster, startOwnKafkaCluster } from './own-kafka-cluster.ts'
import { type StartOwnPostgres, startOwnPostgres } from './own-postgres.ts'
import { type StartOwnS3, startOwnS3 } from './own-s3.ts'
import { type ServiceProcess, type SpawnService, spawnService } from './spawn-service.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'
import { createTestKafka } from './test-kafka.ts'

export { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject } from 'vitest'

const LOG_TAIL_CHARACTERS = 4_000

/** vitest's `test` with the real engines: a database a file, topics of one's own, services as processes. */
export const test = base
  .extend('engines', { scope: 'worker' }, () => ({
    postgresUrl: inject('postgresUrl'),
    templateDatabase: inject('templateDatabase'),
    brokers: inject('brokers'),
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
  .extend('startPostgres', async ({ engines: _ }, { onCleanup }): Promise<StartOwnPostgres> => {
    const started: Awaited<ReturnType<typeof startOwnPostgres>>[] = []
    onCleanup(async () => void (await Promise.all(started.map(({ remove }) => remove()))))
    return async () => {
      const postgres = await startOwnPostgres()
      started.push(postgres)
      return postgres
    }
  })
  // For tests that kill it.
  .extend('startKafka', async ({ engines: _ }, { onCleanup }): Promise<StartOwnKafka> => {
    const started: Awaited<ReturnType<typeof startOwnKafka>>[] = []
    onCleanup(async () => void (await Promise.all(started.map(({ remove }) => remove()))))
    return async () => {
      const kafka = await startOwnKafka()
      started.push(kafka)
      return kafka
    }
  })
  // For tests that cut it off, slow it down or make it silent.
  .extend('startProxiedKafka', async ({ engines: _ }, { onCleanup }): Promise<StartProxiedKafka> => {
    const started: Awaited<ReturnType<typeof startProxiedKafka>>[] = []
    onCleanup(async () => void (await Promise.all(started.map(({ remove }) => remove()))))
    return async () => {
      const kafka = await startProxiedKafka()
      started.push(kafka)
      return kafka
    }
  })
  .extend('startS3', async ({ engines: _ }, { onCleanup }): Promise<StartOwnS3> => {
    const started: Awaited<ReturnType<typeof startOwnS3>>[] = []
    onCleanup(async () => void (await Promise.all(started.map(({ remove }) => remove()))))
    return async () => {
      const s3 = await startOwnS3()
      started.push(s3)
      return s3
    }
  })
  // For tests about leaders, coordinators and replicas.
  .extend('startKafkaCluster', async ({ engines: _ }, { onCleanup }): Promise<StartOwnKafkaCluster> => {
    const started: Awaited<ReturnType<typeof startOwnKafkaCluster>>[] = []
    onCleanup(async () => void (await Promise.all(started.map(({ remove }) => remove()))))
    return async () => {
      const cluster = await startOwnKafkaCluster()
      started.push(cluster)
      return cluster
    }
  })
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
