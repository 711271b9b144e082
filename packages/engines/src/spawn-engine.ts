import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const LOG_TAIL_LINES = 12

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

export type EngineCommand = {
  command: string
  args: readonly string[]
  env: NodeJS.ProcessEnv
  logFile: string
  /** This start repeats the previous one, and appends to its log. */
  repeats?: boolean
  uid?: number
  gid?: number
}

/** A running engine process. */
export type EngineProcess = {
  readonly pid: number
  /** Resolves when the process has ended, for any reason. */
  readonly exited: Promise<Exit>
  readonly running: boolean
  /** Sends the signal, and kills the whole group after the deadline. Safe to call twice. */
  stop(signal: NodeJS.Signals, deadlineMs: number): Promise<void>
  /** Sends SIGKILL to the whole group, like a power cut. */
  kill(): Promise<void>
}

/**
 * Starts an engine in its own process group: Ctrl-C must only reach the supervisor, which stops the engines in order.
 */
export async function spawnEngine(engine: EngineCommand): Promise<EngineProcess> {
  const { command, args, env, logFile, repeats, uid, gid } = engine
  mkdirSync(dirname(logFile), { recursive: true })
  // Keep the log of the previous start: people look for the reason of a crash after a restart.
  if (!repeats && existsSync(logFile)) renameSync(logFile, `${logFile}.previous`)
  // In append mode, so that the file can be truncated while the engine runs.
  const log = openSync(logFile, 'a')
  const child = spawn(command, args, {
    env,
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  closeSync(log)
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  await once(child, 'spawn')
  return handleOf(child, exited)
}

function handleOf(child: ChildProcess, exited: Promise<Exit>): EngineProcess {
  const pid = child.pid as number
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const killGroup = () => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return {
    pid,
    exited,
    get running() {
      return isRunning()
    },
    async stop(signal, deadlineMs) {
      if (isRunning()) child.kill(signal)
      const late = new AbortController()
      await Promise.race([exited, delay(deadlineMs, undefined, { signal: late.signal }).catch(() => {})])
      late.abort()
      if (isRunning()) killGroup()
      await exited
    },
    async kill() {
      killGroup()
      await exited
    },
  }
}

/** The last lines of a log, which say why an engine failed. */
export function tailOf(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
  } catch {
    return '(no log)'
  }
}

export type ReadyOptions = { deadlineMs: number; intervalMs: number; signal?: AbortSignal | undefined }

/** Retries `attempt` until it succeeds. False if the process ends, the deadline passes or the signal aborts first. */
export async function waitUntilReady(
  engine: EngineProcess,
  attempt: () => Promise<void>,
  { deadlineMs, intervalMs, signal }: ReadyOptions,
): Promise<boolean> {
  const deadline = performance.now() + deadlineMs
  while (engine.running && !signal?.aborted && performance.now() < deadline) {
    try {
      await attempt()
      return true
    } catch {
      await delay(intervalMs)
    }
  }
  return false
}
