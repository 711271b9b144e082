import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isProcess, type KafkaEngine, type PostgresEngine, startKafka, startPostgres } from '@streamledger/engines'

const TEST_DIR = resolve(import.meta.dirname, '../../../.local/test')
const OWNER_FILE = 'owner.pid'

/** The engines of one test run. */
export type TestEngines = {
  readonly postgresUrl: string
  readonly brokers: string
  stop(): Promise<void>
}

/** Starts both engines as child processes on fresh folders below .local/test. */
export async function startEmbeddedEngines(): Promise<TestEngines> {
  await sweepAbandonedRuns()
  const runDir = join(TEST_DIR, randomUUID().slice(0, 8))
  mkdirSync(runDir, { recursive: true })
  writeFileSync(join(runDir, OWNER_FILE), String(process.pid))
  const started = await Promise.allSettled([
    startPostgres({ dataDir: join(runDir, 'postgres') }),
    startKafka({ dataDir: join(runDir, 'kafka'), log: console.log }),
  ])
  const [postgres, kafka] = started
  const stop = async () => {
    await Promise.all(started.map((engine) => (engine.status === 'fulfilled' ? engine.value.kill() : undefined)))
    rmSync(runDir, { recursive: true, force: true })
  }
  if (postgres.status === 'fulfilled' && kafka.status === 'fulfilled') {
    return { postgresUrl: postgres.value.url, brokers: kafka.value.brokers, stop }
  }
  const reason = [postgres, kafka].find((engine) => engine.status === 'rejected')?.reason
  await stop()
  throw reason
}

/** A run that was killed leaves its engines and folders behind; the next run ends and removes them. */
async function sweepAbandonedRuns(): Promise<void> {
  if (!existsSync(TEST_DIR)) return
  for (const name of readdirSync(TEST_DIR)) {
    const runDir = join(TEST_DIR, name)
    const owner = readPid(join(runDir, OWNER_FILE))
    if (owner !== undefined && isProcess(owner, ['vitest'])) continue
    for (const engine of [
      ['postgres', 'pgdata', 'postmaster.pid'],
      ['kafka', 'kafka.pid'],
    ]) {
      const pid = readPid(join(runDir, ...engine))
      if (pid !== undefined && isProcess(pid, [runDir])) process.kill(-pid, 'SIGKILL')
    }
    rmSync(runDir, { recursive: true, force: true, maxRetries: 5 })
  }
}

function readPid(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || undefined
  } catch {
    return undefined
  }
}

export type { KafkaEngine, PostgresEngine }
