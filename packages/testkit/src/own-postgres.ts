import { join } from 'node:path'
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
  return {
    url,
    kill: () => engine.kill(),
    start: async () => {
      engine = await startPostgres({ dataDir, port })
    },
    remove: async () => {
      await engine.kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}
