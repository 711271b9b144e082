import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type PostgresEngine, startPostgres } from '@streamledger/engines'
import { abandon, makeRunDir } from './test-engines.ts'

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
}

export type StartOwnPostgres = () => Promise<OwnPostgres>

export async function startOwnPostgres(): Promise<OwnPostgres & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  const dataDir = join(runDir, 'postgres')
  let engine: PostgresEngine = await startPostgres({ dataDir })
  const { url, port } = engine
  // As for the engines of the run: a second Ctrl-C leaves no process behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  const backupDir = join(runDir, 'postgres.backup')
  const start = async () => {
    engine = await startPostgres({ dataDir, port })
  }
  /** Keeps the owner of the files: the server may run as another user than the test. */
  async function replace(target: string, source: string): Promise<void> {
    await engine.stop()
    rmSync(target, { recursive: true, force: true })
    await promisify(execFile)('cp', ['-a', source, target])
    await start()
  }
  return {
    ...{ url, start },
    kill: () => engine.kill(),
    backUp: () => replace(backupDir, dataDir),
    restore: () => replace(dataDir, backupDir),
    remove: async () => {
      await engine.kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}
