import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  test as base,
  expect,
  LIMITS_OUT_OF_REACH,
  type ServiceProcess,
  type SpawnService,
  type TestDatabase,
  waitFor,
} from '@streamledger/testkit'
import { ROOT } from '../../src/local-config.ts'
import { type Balancer, startBalancer } from './balancer.ts'

export type ServiceName = 'api' | 'relay' | 'exporter'

/** A place in the system that one process after another takes. */
export interface Replica {
  name: ServiceName
  process: ServiceProcess
}

/** Several looks of the balancer, as one of Kubernetes takes a moment to reach every node. */
const DRAIN_DELAY_MS = 1_500
const REPLICAS = 2

const OWN: Record<ServiceName, Record<string, string>> = {
  api: { DRAIN_DELAY_MS: String(DRAIN_DELAY_MS) },
  relay: { RELAY_LEASE_MS: '1000', RELAY_BATCH_ROWS_MAX: '50' },
  // A row a page, so that an export is long enough to be stopped in its middle, and half a second for it to go on.
  exporter: {
    EXPORT_PAGE_ROWS: '1',
    EXPORTER_CONCURRENCY: '2',
    DRAIN_TIMEOUT_MS: '500',
    EXPORT_PROGRESS_INTERVAL_MS: '100',
  },
}

/** Two of each service behind a balancer. */
export class System {
  readonly replicas: Replica[] = []
  readonly env: Record<string, string>
  readonly database: TestDatabase
  readonly balancer: Balancer
  readonly #spawn: SpawnService

  constructor(env: Record<string, string>, deps: { database: TestDatabase; balancer: Balancer; spawn: SpawnService }) {
    this.env = env
    this.database = deps.database
    this.balancer = deps.balancer
    this.#spawn = deps.spawn
  }

  /** Of the release whose files are in `root`. */
  async start(root = ROOT): Promise<void> {
    const names = (['api', 'exporter', 'relay'] as const).flatMap((name) => Array<ServiceName>(REPLICAS).fill(name))
    const processes = await Promise.all(names.map((name) => this.#run(name, root)))
    for (const [index, name] of names.entries()) {
      this.replicas.push({ name, process: processes[index] as ServiceProcess })
    }
    // The balancer has looked, too.
    await waitFor(async () => (await fetch(`${this.balancer.url}/openapi.json`)).ok)
  }

  async #run(name: ServiceName, root: string): Promise<ServiceProcess> {
    const process = await this.#spawn(join(root, `services/${name}/src/main.ts`), { ...this.env, ...OWN[name] })
    await process.ready()
    if (name === 'api') this.balancer.add(process)
    return process
  }

  /** Like a rolling restart: stops the old process, waits for its end, then starts the new one. */
  async replace(replica: Replica, root = ROOT): Promise<{ stopMs: number }> {
    const old = replica.process
    const startedAt = performance.now()
    old.signal('SIGTERM')
    expect(await old.exited).toEqual({ code: 0, signal: null })
    const stopMs = performance.now() - startedAt
    this.balancer.remove(old)
    replica.process = await this.#run(replica.name, root)
    return { stopMs }
  }

  async stop(): Promise<void> {
    for (const { process } of this.replicas) process.signal('SIGTERM')
    for (const { process } of this.replicas) expect(await process.exited).toEqual({ code: 0, signal: null })
  }
}

/** vitest's `test` with such a system, not started yet, on a database that is as empty as its topic. */
export const test = base.extend('system', async ({ createDatabase, kafka, spawnService }, { onCleanup }) => {
  const database = await createDatabase({ empty: true })
  const exports = await mkdtemp(join(tmpdir(), 'rolling-'))
  const balancer = await startBalancer()
  onCleanup(async () => {
    await balancer.close()
    await rm(exports, { recursive: true })
  })
  const env = {
    ...LIMITS_OUT_OF_REACH,
    DATABASE_URL: database.url,
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC: `rolling-${randomUUID()}`,
    TOPIC_PARTITIONS: '4',
    INSTALLATION_ID: randomUUID(),
    JWT_SECRET: randomUUID(),
    EXPORT_DIR: exports,
  }
  return new System(env, { database, balancer, spawn: spawnService })
})
