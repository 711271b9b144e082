import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { claimInstallation, prepareDatabase } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { executeStatement } from '@streamledger/engines'
import type pg from 'pg'
import type { Watched } from '../measure/process-usage.ts'
import type { BenchDeps } from '../suite.ts'
import type { Engines } from './open-engines.ts'
import { type ServiceHandle, type ServiceName, spawnService } from './spawn-service.ts'

/** One installation of the product: its own database and topic, and the services that are started on them. */
export interface Installation extends AsyncDisposable {
  readonly pool: pg.Pool
  readonly databaseUrl: string
  readonly topic: string
  readonly partitions: number
  readonly eventSource: string
  readonly jwtSecret: string
  /** `own` overrides variables of the installation. */
  start(name: ServiceName, own?: Readonly<Record<string, string>>): Promise<ServiceHandle>
  /** The processes of engines and services, to measure their usage. */
  watched(): readonly Watched[]
  /** Messages about services that ended unexpectedly. */
  failures(): string[]
}

const PARTITIONS = 12
const SECRET_BYTES = 48
const CONNECTIONS_MAX = 8
/** Long, because single statements verify the whole ledger, and build an index of fifty million rows. */
const STATEMENT_TIMEOUT_MS = 3_600_000
const START_TIMEOUT_MS = 30_000

/**
 * Creates an installation; disposing it stops its services and drops its database. With `kept` it uses that database,
 * which already exists, and does not drop it.
 */
export async function openInstallation(deps: BenchDeps, engines: Engines, kept?: string): Promise<Installation> {
  const name = kept ?? `bench_${randomUUID().replaceAll('-', '')}`
  const url = new URL(engines.postgres.url)
  url.pathname = name
  if (kept === undefined) await executeStatement(engines.postgres.url, `create database ${name}`)
  await prepareDatabase(url.href, { startTimeoutMs: START_TIMEOUT_MS })
  const { db, pool, close } = createDatabase(url.href, {
    applicationName: 'streamledger bench',
    connectionsMax: CONNECTIONS_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  })
  const claimed = await db.selectFrom('installation').select('id').executeTakeFirst()
  const installationId = claimed?.id ?? randomUUID()
  const known = await db.selectFrom('topic').select('name').executeTakeFirst()
  const topicName = known?.name ?? name
  const topic = await claimInstallation(pool, { installationId, topic: topicName, partitions: PARTITIONS })
  const jwtSecret = randomBytes(SECRET_BYTES).toString('base64url')
  const env = {
    DATABASE_URL: url.href,
    INSTALLATION_ID: installationId,
    JWT_SECRET: jwtSecret,
    KAFKA_TOPIC: topicName,
    EXPORT_DIR: join(deps.dir, 'exports'),
    ...(engines.kafka ? { KAFKA_BROKERS: engines.kafka.brokers } : {}),
  }
  const services: ServiceHandle[] = []
  return {
    ...{ pool, databaseUrl: url.href, topic: topicName, partitions: topic.partitions },
    ...{ eventSource: topic.event_source, jwtSecret },
    start: async (service, own = {}) => {
      const logDir = join(deps.dir, 'logs')
      const handle = await spawnService(service, {
        env: { ...env, ...own },
        logDir,
        signal: deps.signal,
        record: deps.lock.record,
      })
      services.push(handle)
      return handle
    },
    watched: () => [...engines.watched, ...services.filter((service) => !service.stopped)],
    failures: () => services.flatMap((service) => service.failure() ?? []),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(services.map((service) => service.stop()))
      await close()
      if (kept === undefined) {
        await executeStatement(engines.postgres.url, `drop database if exists ${name} with (force)`)
      }
    },
  }
}
