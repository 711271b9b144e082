import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { executeStatement, type PostgresEngine, startPostgres } from '@streamledger/engines'
import { abandon, makeRunDir } from './test-engines.ts'

const STANDBY = 'standby'

/** A PostgreSQL for one test, which may kill it. Its database is empty: no migration has run. */
export interface OwnPostgres {
  /** Does not change with a restart. */
  readonly url: string
  /** Sends SIGKILL to all of its processes. */
  kill(): Promise<void>
  /** Starts it again after a kill, with the data that was durable. */
  start(): Promise<void>
  /** Stops it, copies its files as a backup, and starts it again. */
  backUp(): Promise<void>
  /** Starts it with the files of the last backup: later changes are lost. */
  restore(): Promise<void>
  /** Restarts it with a standby that each commit waits for. */
  addStandby(): Promise<OwnStandby>
}

export interface OwnStandby {
  readonly url: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Makes it a primary, whose commits wait for no standby. */
  promote(): Promise<void>
}

export type StartOwnPostgres = () => Promise<OwnPostgres>

export async function startOwnPostgres(): Promise<OwnPostgres & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  const dataDir = join(runDir, 'postgres')
  let settings: Record<string, string> = {}
  let standby: PostgresEngine | undefined
  let engine: PostgresEngine = await startPostgres({ dataDir })
  const { url, port } = engine
  // As for the engines of the run: a second Ctrl-C leaves no process behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  const backupDir = join(runDir, 'postgres.backup')
  const start = async () => {
    engine = await startPostgres({ dataDir, port, settings })
  }
  /** Keeps the owner of the files: the server may run as another user than the test. */
  async function copy(target: string, source: string): Promise<void> {
    await engine.stop()
    rmSync(target, { recursive: true, force: true })
    await promisify(execFile)('cp', ['-a', source, target])
  }
  async function replace(target: string, source: string): Promise<void> {
    await copy(target, source)
    await start()
  }
  async function addStandby(): Promise<OwnStandby> {
    const standbyDir = join(runDir, 'standby')
    await copy(standbyDir, dataDir)
    // Postgres removes the file when it is promoted, so the folder's owner must own it: it is a copy of such a file.
    await promisify(execFile)('cp', [
      '-p',
      join(standbyDir, 'pgdata/PG_VERSION'),
      join(standbyDir, 'pgdata/standby.signal'),
    ])
    settings = { synchronous_standby_names: STANDBY }
    await start()
    const { username, password } = new URL(url)
    const primary_conninfo = `host=127.0.0.1 port=${port} user=${username} password=${password} application_name=${STANDBY}`
    const startStandby = async () => {
      standby = await startPostgres({
        dataDir: standbyDir,
        ...(standby ? { port: standby.port } : {}),
        settings: { primary_conninfo, wal_retrieve_retry_interval: '100ms' },
      })
      return standby
    }
    const { url: standbyUrl } = await startStandby()
    return {
      url: standbyUrl,
      start: async () => void (await startStandby()),
      stop: async () => standby?.stop(),
      promote: () => executeStatement(standbyUrl, 'select pg_promote()'),
    }
  }
  return {
    ...{ url, start, addStandby },
    kill: () => engine.kill(),
    backUp: () => replace(backupDir, dataDir),
    restore: () => replace(dataDir, backupDir),
    remove: async () => {
      await Promise.all([engine.kill(), standby?.kill()])
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}
