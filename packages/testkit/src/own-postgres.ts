import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type PostgresEngine, startPostgres } from '@streamledger/engines'
import { abandon, makeRunDir } from './test-engines.ts'

/** A PostgreSQL that only one test knows, so that the test may kill it. Empty: nothing is migrated. */
export interface OwnPostgres {
  /** The same after each start. */
  readonly url: string
  /** kill -9 to all of its processes. */
  kill(): Promise<void>
  /** Starts it again after a kill, on what it had made durable. */
  start(): Promise<void>
  /** Copies its files, as a backup of the stopped server does, and starts it again. */
  backUp(): Promise<void>
  /** Starts it on the files of the last backup: everything since is forgotten. */
  restore(): Promise<void>
}

export type StartOwnPostgres = () => Promise<OwnPostgres>

export async function startOwnPostgres(): Promise<OwnPostgres & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  const dataDir = join(runDir, 'postgres')
  let engine: PostgresEngine = await startPostgres({ dataDir })
  const { url, port } = engine
  // As for a run's own engines: Ctrl-C twice leaves nothing behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  const backupDir = join(runDir, 'postgres.backup')
  const start = async () => {
    engine = await startPostgres({ dataDir, port })
  }
  /** With their owner: the server may run as another user than the test. */
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
