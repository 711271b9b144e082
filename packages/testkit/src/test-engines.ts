import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isProcess, startKafka, startPostgres } from '@streamledger/engines'
import { type DoorPorts, planDoors } from './kafka-door.ts'

const TEST_DIR = resolve(import.meta.dirname, '../../../.local/test')
const OWNER_FILE = 'owner.pid'
/** A broker that lives for a test has no use for Java's better compiler, and is up in half the time without it. */
export const BROKER_FLAGS = ['-XX:TieredStopAtLevel=1']
const DOORS = 8

/** The engines of one test run. */
export type TestEngines = {
  readonly postgresUrl: string
  readonly brokers: string
  /** Ways to put a proxy before the broker, for a test at a time each. */
  readonly kafkaDoors: readonly DoorPorts[]
  stop(): Promise<void>
}

/** Starts both engines as child processes on fresh folders below .local/test. */
export async function startEmbeddedEngines(): Promise<TestEngines> {
  await sweepAbandonedRuns()
  const runDir = makeRunDir()
  // SIGTERM, and Ctrl-C twice, end vitest without its teardown, but not without this.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  const { listeners, doors } = await planDoors(DOORS)
  const started = await Promise.allSettled([
    // Thrown away after the run: what a power cut would take is not waited for. Tests that kill a Postgres start one of their own.
    startPostgres({ dataDir: join(runDir, 'postgres'), settings: { fsync: 'off' } }),
    startKafka({ dataDir: join(runDir, 'kafka'), jvmFlags: BROKER_FLAGS, listeners, log: console.log }),
  ])
  const [postgres, kafka] = started
  const stop = async () => {
    process.off('exit', onExit)
    await Promise.all(started.map((engine) => (engine.status === 'fulfilled' ? engine.value.kill() : undefined)))
    rmSync(runDir, { recursive: true, force: true })
  }
  if (postgres.status === 'fulfilled' && kafka.status === 'fulfilled') {
    return { postgresUrl: postgres.value.url, brokers: kafka.value.brokers, kafkaDoors: doors, stop }
  }
  const reason = [postgres, kafka].find((engine) => engine.status === 'rejected')?.reason
  await stop()
  throw reason
}

/** The folder appears with its owner in it: another run that sweeps just now must not take it for abandoned. */
export function makeRunDir(): string {
  const name = randomUUID().slice(0, 8)
  const draft = join(TEST_DIR, `.${name}`)
  mkdirSync(draft, { recursive: true })
  writeFileSync(join(draft, OWNER_FILE), String(process.pid))
  renameSync(draft, join(TEST_DIR, name))
  return join(TEST_DIR, name)
}

/** A run that was killed leaves its engines and folders behind; the next run ends and removes them. */
async function sweepAbandonedRuns(): Promise<void> {
  if (!existsSync(TEST_DIR)) return
  for (const name of readdirSync(TEST_DIR).filter((each) => !each.startsWith('.'))) {
    const runDir = join(TEST_DIR, name)
    const owner = readPid(join(runDir, OWNER_FILE))
    if (owner !== undefined && isProcess(owner, ['vitest'])) continue
    abandon(runDir)
  }
}

/** Of one broker, and of the brokers of a cluster. */
const KAFKA_FOLDERS = ['kafka', 'kafka/1', 'kafka/2', 'kafka/3']
const KAFKA_PIDS = KAFKA_FOLDERS.map((folder) => `${folder}/kafka.pid`)
const PID_FILES = ['postgres/pgdata/postmaster.pid', 's3/s3proxy.pid', ...KAFKA_PIDS]

/** Ends what runs in the folder, and removes it. */
export function abandon(runDir: string): void {
  for (const file of PID_FILES) {
    const pid = readPid(join(runDir, file))
    if (pid !== undefined && isProcess(pid, [runDir])) process.kill(-pid, 'SIGKILL')
  }
  rmSync(runDir, { recursive: true, force: true, maxRetries: 5 })
}

function readPid(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || undefined
  } catch {
    return undefined
  }
}
