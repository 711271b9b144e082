import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, readMetric, type ServiceProcess, type SpawnService, test, waitFor } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'

const MAIN = 'tools/local/test/fixtures/talkative-service.ts'
/** More than the timeouts of the stop together, and less than a user waits. */
const EXIT_TIMEOUT_MS = 10_000

interface Sink {
  name: string
  /** A shell command that becomes the service. It finds the path of a pipe, and of a file, in the environment. */
  script: string
  /** What the reader of the pipe does once the service writes to it. */
  read?: (pipe: string) => Promise<void>
}

/** The service itself holds the pipe's reading end, so that the pipe stays open. */
const HELD_PIPE = 'exec 3<>"$LOG_PIPE" && exec "$0" "$@" > "$LOG_PIPE"'

const sinks: Sink[] = [
  { name: 'a pipe that nobody reads', script: HELD_PIPE },
  { name: 'a pipe whose reader stops reading', script: HELD_PIPE, read: readSome },
  { name: 'a pipe whose reader goes away', script: 'exec "$0" "$@" > "$LOG_PIPE"', read: readSome },
  { name: 'a file that may not grow', script: 'ulimit -f 16 && exec "$0" "$@" > "$LOG_FILE"' },
]
if (existsSync('/dev/full')) sinks.push({ name: 'a full disk', script: 'exec "$0" "$@" > /dev/full' })

async function readSome(pipe: string): Promise<void> {
  const reader = await open(pipe, 'r')
  await reader.read(Buffer.alloc(100_000))
  await reader.close()
}

async function startTalking(
  spawnService: SpawnService,
  { script, read }: Sink,
  env: Record<string, string> = {},
): Promise<ServiceProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'log-sink-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const paths = { LOG_PIPE: join(dir, 'pipe'), LOG_FILE: join(dir, 'file') }
  execFileSync('mkfifo', [paths.LOG_PIPE])
  const service = await spawnService(MAIN, { ...paths, ...env }, [], { via: ['sh', '-c', script], bundled: false })
  await read?.(paths.LOG_PIPE)
  return service
}

/** Rejects where the process goes on: a test that waits for its exit would not say why. */
async function expectExit(service: ServiceProcess, code: number): Promise<void> {
  const overdue = new Promise((resolve) => setTimeout(resolve, EXIT_TIMEOUT_MS, 'it runs on'))
  expect(await Promise.race([service.exited, overdue])).toEqual({ code, signal: null })
}

test.for(sinks)(
  'a service whose log goes to $name serves, counts lost lines and stops',
  async (sink, { spawnService }) => {
    const service = await startTalking(spawnService, sink)
    await service.ready()
    await waitFor(async () => (await readMetric(service, 'streamledger_log_lines_dropped_total')) > 0)
    expect((await fetch(`${service.opsUrl}/health/live`)).status).toBe(200)
    service.signal('SIGTERM')
    await expectExit(service, 0)
  },
)

test.for(sinks)('a service whose log goes to $name, and whose start fails, exits', async (sink, { spawnService }) => {
  await expectExit(await startTalking(spawnService, sink, { START_FAILS: 'yes' }), 1)
})

test('a file that may grow again goes on with whole lines', async ({ spawnService }) => {
  const dir = await mkdtemp(join(tmpdir(), 'log-sink-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const LOG_FILE = join(dir, 'file')
  // Only the soft limit, which `prlimit` may raise later.
  const via = ['sh', '-c', 'ulimit -S -f 16 && exec "$0" "$@" > "$LOG_FILE"']
  const service = await spawnService(MAIN, { LOG_FILE }, [], { via, bundled: false })
  await service.ready()
  await waitFor(async () => (await readMetric(service, 'streamledger_log_lines_dropped_total')) > 0)
  execFileSync('prlimit', ['--pid', String(service.pid), '--fsize=unlimited'])
  await waitFor(async () => expect((await stat(LOG_FILE)).size).toBeGreaterThan(5_000_000))
  service.signal('SIGTERM')
  await expectExit(service, 0)
  const lines = (await readFile(LOG_FILE, 'utf8')).trimEnd().split('\n')
  expect(lines.length).toBeGreaterThan(1_000)
  expect(lines.map((line) => JSON.parse(line).msg).at(-1)).toBe('stopped')
})

const PROGRAMS: readonly (readonly [name: string, path: string, ...args: string[]])[] = [
  ['API', 'services/api/src/main.ts'],
  ['relay', 'services/relay/src/main.ts'],
  ['exporter', 'services/exporter/src/main.ts'],
  ['audit', 'cli/src/main.ts', 'audit'],
]

test.runIf(existsSync('/dev/full'))(
  'each service serves and stops while its log goes to a full disk',
  async ({ database, kafka, spawnService }) => {
    const exportDir = await mkdtemp(join(tmpdir(), 'log-sink-'))
    onTestFinished(() => rm(exportDir, { recursive: true }))
    const env = {
      ...{ DATABASE_URL: database.url, KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: `full-${randomUUID()}` },
      ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: 'a secret for tests, 32 bytes at least', EXPORT_DIR: exportDir },
      ...{ TOPIC_PARTITIONS: '1', LOG_LEVEL: 'debug' },
    }
    for (const [name, path, ...args] of PROGRAMS) {
      // The audit, a command of the CLI, logs to stderr.
      const log = name === 'audit' ? '2>' : '>'
      const service = await spawnService(path, env, args, { via: ['sh', '-c', `exec "$0" "$@" ${log} /dev/full`] })
      await service.ready()
      expect((await fetch(`${service.opsUrl}/health/live`)).status, name).toBe(200)
      service.signal('SIGTERM')
      await expectExit(service, 0)
    }
  },
)
