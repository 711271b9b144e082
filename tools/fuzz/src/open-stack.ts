import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type RunLock, startPostgres } from '@streamledger/engines'
import { LIMITS_OUT_OF_REACH } from '@streamledger/testkit/limits-out-of-reach'
import { type ServiceProcess, spawnService } from '@streamledger/testkit/spawn-service'
import pg from 'pg'

/** The system under test: an API and an exporter as in production, on their own database. */
export interface Stack extends AsyncDisposable {
  readonly url: string
  readonly opsUrl: string
  readonly pool: pg.Pool
  /** @throws Error, with the log, if a service has ended unexpectedly */
  throwIfEnded(): void
  /** The newest part of the API's log. */
  readLog(): string
}

export interface StackOptions {
  readonly dir: string
  readonly lock: RunLock
  readonly signal: AbortSignal
}

const SECRET_BYTES = 48
const CONNECTIONS_MAX = 2
const STOP_DEADLINE_MS = 15_000
const LOG_TAIL_CHARACTERS = 4_000

/** High limits, because the run is one client that sends far more requests than any other. */
const GENEROUS = {
  ACCESS_TOKEN_TTL_S: '86400',
  REFRESH_GRACE_MS: '60000', // a refresh token from the seeds is used more than once
  PASSWORD_HASHES_MAX: '4',
  EXPORTS_UNFINISHED_MAX: '100',
  ...LIMITS_OUT_OF_REACH,
}

export async function openStack({ dir, lock, signal }: StackOptions): Promise<Stack> {
  const [postgresDir, exportDir] = [join(dir, 'postgres'), join(dir, 'exports')]
  for (const folder of [postgresDir, exportDir]) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
  }
  await using started = new AsyncDisposableStack()
  const postgres = await startPostgres({ dataDir: postgresDir, signal })
  started.defer(() => postgres.stop())
  lock.record({ pid: postgres.pid, words: ['postgres', postgresDir], signal: 'SIGINT' })
  const pool = new pg.Pool({ connectionString: postgres.url, max: CONNECTIONS_MAX })
  started.defer(() => pool.end())

  const env = {
    ...{ DATABASE_URL: postgres.url, EXPORT_DIR: exportDir, LOG_LEVEL: 'warn' },
    ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: randomBytes(SECRET_BYTES).toString('base64url') },
    ...GENEROUS,
  }
  const services: { entry: string; service: ServiceProcess; ended: boolean }[] = []
  started.defer(async () => void (await Promise.all(services.map(({ service }) => stop(service)))))
  for (const entry of ['services/api/src/main.ts', 'services/exporter/src/main.ts']) {
    const service = await spawnService(entry, env)
    const running = { entry, service, ended: false }
    void service.exited.then(() => {
      running.ended = true
    })
    services.push(running)
    lock.record({ pid: service.pid, words: [entry], signal: 'SIGTERM' })
    // One after the other: the API creates the tables.
    await service.ready()
  }
  const [api] = services
  if (!api) throw new Error('the API is missing')

  const ending = started.move()
  return {
    ...{ url: api.service.url, opsUrl: api.service.opsUrl, pool },
    throwIfEnded: () => {
      const gone = services.find(({ ended }) => ended)
      if (gone) throw new Error(`${gone.entry} has ended:\n${gone.service.logs.slice(-LOG_TAIL_CHARACTERS)}`)
    },
    readLog: () => api.service.logs,
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

async function stop(service: ServiceProcess): Promise<void> {
  service.signal('SIGTERM')
  const late = setTimeout(() => service.signal('SIGKILL'), STOP_DEADLINE_MS)
  await service.exited
  clearTimeout(late)
}
