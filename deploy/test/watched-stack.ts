import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  test as base,
  LIMITS_OUT_OF_REACH,
  type OwnCollector,
  type Person,
  type ServiceProcess,
  type SpawnService,
  signUp,
  startTcpProxy,
  type TcpProxy,
  type TestDatabase,
  waitFor,
} from '@streamledger/testkit'
import { expect } from 'vitest'
import { type RunningPrometheus, startPrometheus } from './start-prometheus.ts'

/** A machine that is busy takes its time over a look, and two looks are needed to see that something rises. */
export const PATIENCE = { timeoutMs: 90_000, intervalMs: 250 }

interface Services {
  api: ServiceProcess
  relay: ServiceProcess
  exporter: ServiceProcess
  audit: ServiceProcess
}

type Ways = Record<'api' | 'relay' | 'audit', TcpProxy>

/** Everything that has alerts, as processes, and a real Prometheus that watches it. */
export interface WatchedStack extends Services, User {
  pool: TestDatabase['pool']
  topic: string
  /** The ways of the API, the relay and the audit to Postgres. */
  ways: Ways
  /** Takes the API's spans. */
  collector: OwnCollector
  exportFolder: string
  prometheus: RunningPrometheus
  /** Waits until an alert fires with these labels. */
  fires(alert: string, labels?: Record<string, string>): Promise<void>
  /** Which have. */
  readonly fired: ReadonlySet<string>
}

export interface WatchedStackOptions {
  partitions?: number
  brokers?: string
  /** Where the relay finds Kafka, if that is another way. */
  relayBrokers?: string
}

/** vitest's `test` with what starts one; it has one user and one posting, and nothing fires yet. */
export const test = base.extend(
  'watchStack',
  async ({ createDatabase, kafka, spawnService, startCollector }, { onCleanup }) => {
    const undo: (() => unknown)[] = []
    onCleanup(async () => {
      for (const step of undo.toReversed()) await step()
    })
    return async ({ partitions = 1, brokers = kafka.brokers, relayBrokers = brokers }: WatchedStackOptions = {}) => {
      const { pool, url } = await createDatabase()
      const ways = { api: await startTcpProxy(url), relay: await startTcpProxy(url), audit: await startTcpProxy(url) }
      undo.push(() => Promise.all(Object.values(ways).map((way) => way.close())))
      const collector = await startCollector()
      const exportFolder = mkdtempSync(join(tmpdir(), 'streamledger-exports-'))
      undo.push(() => rmSync(exportFolder, { recursive: true, force: true }))
      const topic = `alerts-${randomUUID()}`
      const services = await spawnServices(spawnService, {
        ways,
        relayBrokers,
        collector,
        env: {
          ...{ DATABASE_URL: url, KAFKA_BROKERS: brokers, EXPORT_DIR: exportFolder },
          ...{ INSTALLATION_ID: randomUUID(), KAFKA_TOPIC: topic, TOPIC_PARTITIONS: String(partitions) },
        },
      })
      const ports = Object.entries(services).map(([name, { opsUrl }]) => [name, opsUrl])
      const prometheus = await startPrometheus(Object.fromEntries(ports))
      undo.push(() => prometheus.remove())
      const user = await createUser(services.api)
      expect(await user.post()).toBe(201)
      await waitUntilSeen(prometheus)
      const stack: WatchedStack = {
        ...{ ...services, pool, topic, ways, collector, exportFolder, prometheus },
        ...{ ...user, ...watch(prometheus) },
      }
      return stack
    }
  },
)

interface Places {
  ways: Ways
  relayBrokers: string
  collector: OwnCollector
  env: Record<string, string>
}

async function spawnServices(spawn: SpawnService, { ways, relayBrokers, collector, env }: Places): Promise<Services> {
  const api = await spawn('services/api/src/main.ts', {
    ...{ ...env, ...LIMITS_OUT_OF_REACH, DATABASE_URL: ways.api.address, JWT_SECRET: randomUUID() },
    ...{ DATABASE_CONNECT_TIMEOUT_MS: '2000', DATABASE_POOL_MAX: '2' },
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  const relayPlaces = { DATABASE_URL: ways.relay.address, KAFKA_BROKERS: relayBrokers }
  const relayEnv = { ...env, ...relayPlaces, RELAY_TOPIC_CHECK_MS: '500' }
  const relay = await spawn('services/relay/src/main.ts', relayEnv)
  const exporter = await spawn('services/exporter/src/main.ts', env)
  await Promise.all([api, relay, exporter].map((service) => service.ready()))
  // It wants the topic, which the relay makes.
  const auditEnv = { ...env, DATABASE_URL: ways.audit.address, AUDIT_SWEEP_MS: '200', AUDIT_GRACE_MS: '1000' }
  const audit = await spawn('cli/src/main.ts', auditEnv, ['audit'])
  await audit.ready()
  return { api, relay, exporter, audit }
}

/** A user of the API who checks only the status of an answer. */
export interface User extends Pick<Person, 'email' | 'password'> {
  /** With a body it is a POST. */
  call(path: string, body?: object): Promise<number>
  /** Posts a credit of one kobo. */
  post(): Promise<number>
}

export async function createUser({ url }: ServiceProcess): Promise<User> {
  const { email, password, ask, credit } = await signUp(url)
  return {
    ...{ email, password },
    call: async (path, body) => readStatus(await ask(path, { body })),
    post: async () => readStatus(await credit(1)),
  }
}

async function readStatus(response: Response): Promise<number> {
  await response.arrayBuffer()
  return response.status
}

async function waitUntilSeen(prometheus: RunningPrometheus): Promise<void> {
  const sees = (expression: string, value: number): Promise<unknown> =>
    waitFor(async () => expect(await prometheus.query(expression)).toEqual([value]), PATIENCE)
  await sees('count(up{job=~"streamledger-.+"} == 1)', 4)
  await sees('streamledger_audit_events_total', 1)
  // At its first look it had not seen anybody yet.
  await waitFor(async () => expect([...(await prometheus.readFiring()).keys()]).toEqual([]), PATIENCE)
}

function watch(prometheus: RunningPrometheus): Pick<WatchedStack, 'fires' | 'fired'> {
  const fired = new Set<string>()
  return {
    fired,
    fires: async (alert, labels = {}) => {
      await waitFor(
        async () => expect((await prometheus.readFiring()).get(alert)).toContainEqual(expect.objectContaining(labels)),
        PATIENCE,
      )
      fired.add(alert)
    },
  }
}
