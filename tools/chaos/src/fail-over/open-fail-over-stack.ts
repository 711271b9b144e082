import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDatabase } from '@streamledger/db/database'
import {
  executeStatement,
  fetchKafkaJars,
  type KafkaCluster,
  type RunLock,
  startKafkaCluster,
} from '@streamledger/engines'
import type pg from 'pg'
import { Replica, type Role } from '../stack/replica.ts'
import { installPatroni } from './install-patroni.ts'
import { PatroniCluster, USER } from './patroni-cluster.ts'
import { PrimaryProxy } from './primary-proxy.ts'

export interface FailOverStack extends AsyncDisposable {
  readonly patroni: PatroniCluster
  readonly kafka: KafkaCluster
  /** Through the proxy that passes connections to the primary, as the services have it. */
  readonly databaseUrl: string
  readonly brokers: string
  readonly pool: pg.Pool
  apiUrls(): readonly { name: string; url: string }[]
}

export interface FailOverStackOptions {
  readonly dir: string
  readonly lock: RunLock
  readonly signal: AbortSignal
  readonly log: (line: string) => void
  readonly onSelfExit: (line: string, role: Role) => void
  /** Whether a commit waits for a standby. */
  readonly synchronous: boolean
}

export const TOPIC = 'fail-over'
const REPLICAS = ['api-1', 'api-2', 'relay-1', 'relay-2', 'exporter-1', 'exporter-2']
const BROKER_FLAGS = ['-XX:TieredStopAtLevel=1']
const CONNECTIONS_MAX = 4
const STATEMENT_TIMEOUT_MS = 60_000
const READY_TIMEOUT_MS = 120_000
/** A fail-over takes longer than the 30 s of a running export. */
const EXPORTER_PATIENCE_MS = '120000'

/** Three nodes of PostgreSQL under Patroni, three Kafka brokers and two of each service, with the timeouts of production. */
export async function openFailOverStack(options: FailOverStackOptions): Promise<FailOverStack> {
  const { dir, lock, signal, log, synchronous } = options
  const logDir = join(dir, 'logs')
  for (const folder of [logDir, join(dir, 'exports')]) mkdirSync(folder, { recursive: true })
  await using started = new AsyncDisposableStack()

  const programs = await installPatroni(log, signal)
  const patroni = started.use(
    await PatroniCluster.start({ programs, dir: join(dir, 'patroni'), logDir, lock, synchronous }),
  )
  const proxy = started.use(await PrimaryProxy.start(patroni.nodes.values()))
  const urlOf = (database: string) => `postgres://${USER}:${patroni.password}@${proxy.address}/${database}`
  await proxy.untilOpen()
  await executeStatement(urlOf('postgres'), `create database ${USER}`)
  const databaseUrl = urlOf(USER)
  log('PostgreSQL is up: a primary and two standbys under Patroni')
  signal.throwIfAborted()
  const kafka = await startCluster(options, join(dir, 'kafka'))
  started.defer(async () => void (await Promise.all(kafka.ids.map((id) => kafka.kill(id)))))
  log('three Kafka brokers are up')
  signal.throwIfAborted()

  const { brokers } = kafka
  const { pool, close } = createDatabase(databaseUrl, {
    applicationName: 'streamledger fail-over',
    ...{ connectionsMax: CONNECTIONS_MAX, statementTimeoutMs: STATEMENT_TIMEOUT_MS },
  })
  started.defer(close)
  const replicas = createReplicas(options, { databaseUrl, brokers, logDir })
  started.defer(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))))
  for (const replica of replicas) await replica.start()
  await Promise.all(replicas.map((replica) => replica.untilReady(READY_TIMEOUT_MS, signal)))
  log(`${REPLICAS.join(', ')} are ready`)
  const apis = replicas.filter(({ role }) => role === 'api')
  const ending = started.move()
  return {
    ...{ patroni, kafka, databaseUrl, brokers, pool },
    apiUrls: () => apis.filter(({ pid }) => pid !== undefined).map(({ name, url }) => ({ name, url })),
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

/** Each start of a broker is recorded, so that the next run can end what a killed one has left behind. */
async function startCluster({ lock, log, signal }: FailOverStackOptions, dataDir: string): Promise<KafkaCluster> {
  // Three brokers at once would fetch the same files.
  await fetchKafkaJars({ log, signal })
  const kafka = await startKafkaCluster({ dataDir, jvmFlags: BROKER_FLAGS })
  const record = (id: number) => {
    const pid = Number(readFileSync(join(dataDir, String(id), 'kafka.pid'), 'utf8'))
    lock.record({ pid, words: ['kafka.Kafka', dataDir], signal: 'SIGKILL' })
  }
  for (const id of kafka.ids) record(id)
  return {
    ...kafka,
    start: async (id) => {
      await kafka.start(id)
      record(id)
    },
  }
}

function createReplicas(
  { dir, lock, onSelfExit }: FailOverStackOptions,
  { databaseUrl, brokers, logDir }: { databaseUrl: string; brokers: string; logDir: string },
): Replica[] {
  const env = {
    ...{
      INSTALLATION_ID: randomUUID(),
      JWT_SECRET: randomBytes(48).toString('base64url'),
      ACCESS_TOKEN_TTL_S: '86400',
    },
    ...{ DATABASE_URL: databaseUrl, KAFKA_BROKERS: brokers, KAFKA_TOPIC: TOPIC, TOPIC_PARTITIONS: '6' },
    ...{ EXPORT_DIR: join(dir, 'exports'), EXPORTER_DATABASE_PATIENCE_MS: EXPORTER_PATIENCE_MS },
  }
  return REPLICAS.map((name) => {
    const role = name.split('-')[0] as Role
    return new Replica({ role, name, env, logDir, onSelfExit, record: lock.record })
  })
}
