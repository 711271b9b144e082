import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { type Exit, pickFreePort, readNodeFlags } from '@streamledger/engines'
import { findProgram, ROOT } from './find-program.ts'
import { waitFor } from './wait-for.ts'

const READY_TIMEOUT_MS = 90_000
const LOG_CHARACTERS_MAX = 1_000_000
const LOG_TAIL_CHARACTERS = 4_000

/** A service that runs as its own process, as it does in production. */
export type ServiceProcess = {
  readonly pid: number
  /** Where it listens for its users: PORT, which only the API reads. */
  readonly url: string
  /** Where health and metrics are: OPS_PORT. */
  readonly opsUrl: string
  /** All that it has written, the newest million characters of it. */
  readonly logs: string
  readonly exited: Promise<Exit>
  /** Resolves once /health/ready answers 200; rejects, with its log, if it exits or the time is over first. */
  ready(timeoutMs?: number): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Nobody reads what it writes to stdout any more. */
  stopReading(): void
}

export type SpawnService = (
  entryPath: string,
  env: Record<string, string>,
  args?: readonly string[],
  options?: SpawnServiceOptions,
) => Promise<ServiceProcess>

export interface SpawnServiceOptions {
  /** A command that is given node's as its last arguments, and becomes it: to set limits that only a parent can set. */
  via?: readonly string[]
  /** False: the sources, module by module, as users run them. */
  bundled?: boolean
}

/** Spawns a program's main.ts, with arguments if it takes any; the path is absolute or relative to the repository. Ports are picked unless `env` has them. */
export async function spawnService(
  entryPath: string,
  env: Record<string, string>,
  args: readonly string[] = [],
  { via = [], bundled = true }: SpawnServiceOptions = {},
): Promise<ServiceProcess> {
  const port = env.PORT ?? String(await pickFreePort())
  const opsPort = env.OPS_PORT ?? String(await pickFreePort())
  const node = [
    process.execPath,
    ...readNodeFlags(resolve(ROOT, entryPath)),
    bundled ? findProgram(entryPath) : resolve(ROOT, entryPath),
    ...args,
  ]
  const [command = '', ...rest] = [...via, ...node]
  const child = spawn(command, rest, {
    // Not the test's environment: kafkajs and others behave differently under NODE_ENV=test.
    env: { ...pickAmbientEnv(), NODE_ENV: 'production', HOST: '127.0.0.1', ...env, PORT: port, OPS_PORT: opsPort },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // When all that it wrote has been read, too.
  const exited = new Promise<Exit>((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
  const readLogs = collectLogs(child)
  const opsUrl = `http://127.0.0.1:${opsPort}`
  return {
    pid: child.pid as number,
    url: `http://127.0.0.1:${port}`,
    opsUrl,
    get logs() {
      return readLogs()
    },
    exited,
    ready: (timeoutMs = READY_TIMEOUT_MS) => waitUntilReady(child, { opsUrl, readLogs, timeoutMs }),
    signal: (signal) => void child.kill(signal),
    stopReading: () => void child.stdout.destroy(),
  }
}

/** All that a program under test has of this environment: where programs are, and where Node keeps what it has compiled. */
export function pickAmbientEnv(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env
  return { PATH, ...(NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE } : {}) }
}

function collectLogs(child: ChildProcess): () => string {
  let logs = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      logs = (logs + text).slice(-LOG_CHARACTERS_MAX)
    })
  }
  return () => logs
}

type Waiting = { opsUrl: string; readLogs: () => string; timeoutMs: number }

async function waitUntilReady(child: ChildProcess, { opsUrl, readLogs, timeoutMs }: Waiting): Promise<void> {
  const isGone = () => child.exitCode !== null || child.signalCode !== null
  const answersReady = async () => {
    if (isGone()) return true
    const response = await fetch(`${opsUrl}/health/ready`, { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.status === 200
  }
  const outcome = await waitFor(answersReady, { timeoutMs, intervalMs: 25 }).catch((error: Error) => error)
  if (isGone()) throw new Error(`the service exited before it was ready:\n${readLogs().slice(-LOG_TAIL_CHARACTERS)}`)
  if (outcome instanceof Error) {
    throw new Error(`the service is not ready (${outcome.message}):\n${readLogs().slice(-LOG_TAIL_CHARACTERS)}`)
  }
}
