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
  /** Adds to the log of the start before, which this one repeats. */
  repeats?: boolean
  uid?: number
  gid?: number
}

/** A running engine process. */
export type EngineProcess = {
  readonly pid: number
  /** Settles when the process is gone, however it went. */
  readonly exited: Promise<Exit>
  readonly running: boolean
  /** Asks with the signal, and kills the whole group when the deadline has passed. Safe to call twice. */
  stop(signal: NodeJS.Signals, deadlineMs: number): Promise<void>
  /** SIGKILL to the whole group, as a power cut would do it. */
  kill(): Promise<void>
}

/** Starts an engine in a process group of its own: a terminal's Ctrl-C must reach the supervisor alone, which stops in order. */
export async function spawnEngine(engine: EngineCommand): Promise<EngineProcess> {
  const { command, args, env, logFile, repeats, uid, gid } = engine
  mkdirSync(dirname(logFile), { recursive: true })
  // An engine that was killed is asked about after the next one has started.
  if (!repeats && existsSync(logFile)) renameSync(logFile, `${logFile}.previous`)
  // Appended to: whoever watches the file's size may cut it while the engine runs.
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

/** The end of a log: the part that says why an engine gave up. */
export function tailOf(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
  } catch {
    return '(no log)'
  }
}

export type ReadyOptions = { deadlineMs: number; intervalMs: number; signal?: AbortSignal | undefined }

/** Tries until `attempt` succeeds; gives up when the process is gone, the deadline has passed or the signal is aborted. */
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
