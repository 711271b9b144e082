import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDatabase } from '@streamledger/db/database'
import type { RunLock } from '@streamledger/engines'
import { type KafkaEngine, type PostgresEngine, pickFreePort, startKafka, startPostgres } from '@streamledger/engines'
import { startTcpProxy, type TcpProxy } from '@streamledger/testkit/tcp-proxy'
import type pg from 'pg'
import { EXPORTERS, LEASE_MS, REPLICAS_MAX, type Replicas } from '../schedule/draw-schedule.ts'
import { Replica, type Role } from './replica.ts'
import { RestartableEngine } from './restartable-engine.ts'

/** The whole system; each replica has its own proxies. */
export interface Stack extends AsyncDisposable {
  readonly postgres: RestartableEngine<PostgresEngine>
  readonly kafka: RestartableEngine<KafkaEngine>
  readonly replicas: ReadonlyMap<string, Replica>
  /** In front of Postgres, by the replica's name; an exporter has none. */
  readonly databaseProxies: ReadonlyMap<string, TcpProxy>
  /** In front of the broker, by the relay's name. */
  readonly brokerProxies: ReadonlyMap<string, TcpProxy>
  /** Without a proxy. */
  readonly databaseUrl: string
  readonly brokers: string
  readonly pool: pg.Pool
  /** The APIs that clients can use now. */
  apiUrls(): readonly { name: string; url: string }[]
  /** The URL of the first API; empty while there is none. */
  apiUrl(): string
  /** Starts engines and replicas that an interrupted fault has left down. */
  restore(replicas: Replicas): Promise<void>
}

export interface StackOptions {
  /** Data, kept from run to run. */
  readonly dir: string
  readonly logDir: string
  readonly replicas: Replicas
  readonly lock: RunLock
  readonly signal: AbortSignal
  readonly log: (line: string) => void
  readonly onSelfExit: (line: string, role?: Role) => void
  /** Of Postgres, over those that it has everywhere: asked for at each start. */
  readonly postgresSettings?: () => Record<string, string>
  readonly kafkaSettings?: Record<string, string>
  /** Of the services, over those of a campaign. */
  readonly settings?: Partial<Record<Role, Record<string, string>>>
}

export const TOPIC = 'chaos'
export const PARTITIONS = '6'
const SECRET_BYTES = 48
const CONNECTIONS_MAX = 6
/** A short-lived broker does not need the second compiler, and starts in half the time without it. */
const BROKER_FLAGS = ['-XX:TieredStopAtLevel=1']
/** Long, because few statements check the whole ledger of a campaign. */
const STATEMENT_TIMEOUT_MS = 300_000
const READY_TIMEOUT_MS = 90_000

/** Starts engines and services, on the data of the previous run if there is one, and waits until all are ready. */
export async function openStack(options: StackOptions): Promise<Stack> {
  const { dir, logDir, signal, log } = options
  mkdirSync(logDir, { recursive: true })
  mkdirSync(join(dir, 'exports'), { recursive: true })
  await using started = new AsyncDisposableStack()

  const postgres = await startPostgresEngine(options)
  started.defer(async () => void (await postgres.stop()))
  const databaseUrl = postgres.current.url
  const doors = await openBrokerDoors()
  const kafka = await startKafkaEngine(options, doors)
  started.defer(async () => void (await kafka.stop()))
  const { brokers } = kafka.current
  log('PostgreSQL and Kafka are up')

  const { pool, close } = createDatabase(databaseUrl, {
    applicationName: 'streamledger chaos',
    connectionsMax: CONNECTIONS_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  })
  started.defer(close)
  const databaseProxies = new Map<string, TcpProxy>()
  for (const name of [...namesOf('api', REPLICAS_MAX.api), ...namesOf('relay', REPLICAS_MAX.relay)]) {
    databaseProxies.set(name, await startTcpProxy(databaseUrl))
  }
  const brokerProxies = new Map(doors.map(({ name, proxy }) => [name, proxy]))
  const proxies = [...databaseProxies.values(), ...brokerProxies.values()]
  started.defer(async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))))

  const replicas = createReplicas(options, { databaseUrl, databaseProxies, brokerProxies })
  started.defer(async () => void (await Promise.all([...replicas.values()].map((replica) => replica.stop()))))
  const bringUp = async (counts: Replicas): Promise<void> => {
    const wanted = namesOfAll({ ...counts, exporter: EXPORTERS }).map((name) => replicas.get(name) as Replica)
    for (const replica of wanted) if (replica.pid === undefined) await replica.start()
    await Promise.all(wanted.map((replica) => replica.untilReady(READY_TIMEOUT_MS, signal)))
    log(`${wanted.map(({ name }) => name).join(', ')} are ready`)
  }
  await bringUp(options.replicas)

  const apiUrls = () =>
    [...replicas.values()]
      .filter(({ role, pid }) => role === 'api' && pid !== undefined)
      .map(({ name, url }) => ({ name, url }))
  const ending = started.move()
  return {
    ...{ postgres, kafka, replicas, databaseProxies, brokerProxies, databaseUrl, brokers, pool, apiUrls },
    apiUrl: () => apiUrls()[0]?.url ?? '',
    restore: async (counts) => {
      for (const engine of [postgres, kafka]) if (!engine.isUp) await engine.start()
      await bringUp(counts)
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

type Ways = Pick<Stack, 'databaseUrl' | 'databaseProxies' | 'brokerProxies'>

/** Creates all possible replicas; not all of them run. */
function createReplicas({ dir, logDir, lock, onSelfExit, settings }: StackOptions, ways: Ways): Map<string, Replica> {
  const common = { ...loadIdentity(dir), KAFKA_TOPIC: TOPIC, EXPORT_DIR: join(dir, 'exports') }
  const names = namesOfAll({ ...REPLICAS_MAX, exporter: EXPORTERS })
  return new Map(
    names.map((name) => {
      const role = name.split('-')[0] as Role
      const brokers = ways.brokerProxies.get(name)?.address
      const env = {
        ...{ ...common, ...SETTINGS[role], ...settings?.[role] },
        DATABASE_URL: ways.databaseProxies.get(name)?.address ?? ways.databaseUrl,
        ...(brokers === undefined ? {} : { KAFKA_BROKERS: brokers }),
      }
      return [name, new Replica({ role, name, env, logDir, onSelfExit, record: lock.record })]
    }),
  )
}

/** Short timeouts, so that recovery is fast. */
const SETTINGS: Readonly<Record<Role, Record<string, string>>> = {
  api: { ACCESS_TOKEN_TTL_S: '86400', TOPIC_PARTITIONS: PARTITIONS },
  relay: { RELAY_LEASE_MS: String(LEASE_MS), RELAY_STEP_TIMEOUT_MS: '2000', TOPIC_PARTITIONS: PARTITIONS },
  exporter: {},
}

const namesOf = (role: Role, count: number): string[] => Array.from({ length: count }, (_, at) => `${role}-${at + 1}`)

const namesOfAll = (counts: Readonly<Record<Role, number>>): string[] =>
  (['api', 'relay', 'exporter'] as const).flatMap((role) => namesOf(role, counts[role]))

async function startPostgresEngine(options: StackOptions) {
  const { dir, logDir, lock, signal, log, onSelfExit } = options
  const dataDir = join(dir, 'postgres')
  const port = await pickFreePort()
  let starts = 0
  const begin = async () => {
    starts += 1
    const logFile = join(logDir, `postgres-${starts}.log`)
    const settings = options.postgresSettings?.() ?? {}
    const engine = await startPostgres({ dataDir, logFile, port, settings, signal, log })
    lock.record({ pid: engine.pid, words: ['postgres', dataDir], signal: 'SIGINT' })
    return engine
  }
  const engine = new RestartableEngine('Postgres', { begin, onSelfExit })
  await engine.start()
  return engine
}

interface BrokerDoor {
  name: string
  proxy: TcpProxy
  listener: { name: string; port: number; advertisedPort: number }
}

/** One listener per relay, which advertises the port of its proxy: clients connect to the advertised address. */
async function openBrokerDoors(): Promise<BrokerDoor[]> {
  const doors: BrokerDoor[] = []
  for (const name of namesOf('relay', REPLICAS_MAX.relay)) {
    const port = await pickFreePort()
    const proxy = await startTcpProxy(`127.0.0.1:${port}`)
    const advertisedPort = Number(proxy.address.split(':')[1])
    doors.push({ name, proxy, listener: { name: name.replace('-', '').toUpperCase(), port, advertisedPort } })
  }
  return doors
}

async function startKafkaEngine(
  { dir, logDir, lock, signal, log, onSelfExit, kafkaSettings = {} }: StackOptions,
  doors: readonly BrokerDoor[],
) {
  const dataDir = join(dir, 'kafka')
  const port = await pickFreePort()
  const listeners = doors.map(({ listener }) => listener)
  let starts = 0
  const begin = async () => {
    starts += 1
    const logFile = join(logDir, `kafka-${starts}.log`)
    const how = { listeners, jvmFlags: BROKER_FLAGS, settings: kafkaSettings }
    const engine = await startKafka({ dataDir, logFile, port, ...how, signal, log })
    lock.record({ pid: engine.pid, words: ['kafka.Kafka', dataDir], signal: 'SIGTERM' })
    return engine
  }
  const engine = new RestartableEngine('Kafka', { begin, onSelfExit })
  await engine.start()
  return engine
}

/** Created once: the database refuses another installation. */
function loadIdentity(dir: string): { INSTALLATION_ID: string; JWT_SECRET: string } {
  const file = join(dir, 'identity.json')
  if (!existsSync(file)) {
    const made = { INSTALLATION_ID: randomUUID(), JWT_SECRET: randomBytes(SECRET_BYTES).toString('base64url') }
    writeFileSync(file, `${JSON.stringify(made)}\n`, { mode: 0o600 })
  }
  return JSON.parse(readFileSync(file, 'utf8'))
}
