import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pickFreePort, type RecordedProcess, readNodeFlags } from '@streamledger/engines'
import { isReady } from '@streamledger/testkit/is-ready'
import { LIMITS_OUT_OF_REACH } from '@streamledger/testkit/limits-out-of-reach'

export type ServiceName = 'api' | 'relay' | 'exporter'

export interface ServiceHandle {
  readonly name: ServiceName
  readonly pid: number
  readonly url: string
  readonly stopped: boolean
  /** A message if it has ended unexpectedly. */
  failure(): string | undefined
  /** SIGTERM; SIGKILL when it takes too long. */
  stop(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
}

export interface SpawnServiceOptions {
  readonly env: Readonly<Record<string, string>>
  readonly logDir: string
  readonly signal: AbortSignal
  readonly record: (recorded: RecordedProcess) => void
}

const ROOT = resolve(import.meta.dirname, '../../../..')
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'compiled')
const READY_DEADLINE_MS = 60_000
const READY_POLL_MS = 25
const PROBE_TIMEOUT_MS = 2_000
const STOP_DEADLINE_MS = 15_000
const LOG_TAIL_LINES = 10

/**
 * Starts a service as it runs in production, on free ports, and waits until it is ready. Its log goes straight to a
 * file.
 */
export async function spawnService(name: ServiceName, options: SpawnServiceOptions): Promise<ServiceHandle> {
  const { env, logDir, signal, record } = options
  const [port, opsPort] = [await pickFreePort(), await pickFreePort()]
  const entry = join(ROOT, 'services', name, 'src', 'main.ts')
  const logFile = join(logDir, `${name}.log`)
  const log = openSync(logFile, 'w')
  const child = spawn(process.execPath, [...readNodeFlags(entry), entry], {
    // Variables of the shell are passed on, so that settings of a service can be compared.
    env: {
      NODE_COMPILE_CACHE: COMPILE_CACHE, // as under `npm start`
      ...LIMITS_OUT_OF_REACH,
      ...process.env,
      ...env,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      OPS_PORT: String(opsPort),
    },
    detached: true, // Ctrl-C reaches the bench alone, which stops everything in order
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const pid = child.pid
  if (pid === undefined) throw new Error(`${name} could not be started`)
  record({ pid, words: [entry], signal: 'SIGTERM' })
  let stopping = false
  const handle: ServiceHandle = {
    ...{ name, pid, url: `http://127.0.0.1:${port}` },
    get stopped() {
      return stopping
    },
    failure: () => (stopping || isRunning(child) ? undefined : `${name} ended unexpectedly:\n${readTail(logFile)}`),
    stop: async () => {
      stopping = true
      if (isRunning(child)) child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
      await exited
      clearTimeout(late)
    },
    kill: async () => {
      stopping = true
      child.kill('SIGKILL')
      await exited
    },
  }
  try {
    await untilReady(handle, opsPort, signal)
    return handle
  } catch (error) {
    await handle.stop()
    throw error
  }
}

async function untilReady(service: ServiceHandle, opsPort: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_DEADLINE_MS
  for (;;) {
    signal.throwIfAborted()
    const failure = service.failure()
    if (failure) throw new Error(failure)
    if (await isReady(`http://127.0.0.1:${opsPort}`, PROBE_TIMEOUT_MS)) return
    if (performance.now() > deadline) throw new Error(`${service.name} is not ready after ${READY_DEADLINE_MS} ms`)
    await delay(READY_POLL_MS)
  }
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

const readTail = (file: string): string =>
  readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
