import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Exit, pickFreePort, type RecordedProcess, readNodeFlags } from '@streamledger/engines'
import { isReady } from '@streamledger/testkit/is-ready'
import { LIMITS_OUT_OF_REACH } from '@streamledger/testkit/limits-out-of-reach'
import { isStopped } from './is-stopped.ts'

export type Role = 'api' | 'relay' | 'exporter'

export interface ReplicaOptions {
  readonly role: Role
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  readonly logDir: string
  readonly record: (process: RecordedProcess) => void
  /** Called when the process ends unexpectedly. It is then restarted. */
  readonly onSelfExit: (line: string, role: Role) => void
}

const ROOT = resolve(import.meta.dirname, '../../../..')
const READY_POLL_MS = 50
const PROBE_TIMEOUT_MS = 1_000
const STOP_DEADLINE_MS = 20_000
const RESTART_BACK_OFF_MS = 500
const LOG_TAIL_LINES = 5

/** One service process as in production. It keeps its name when it is restarted. */
export class Replica {
  readonly name: string
  readonly role: Role
  readonly logFile: string
  readonly #options: ReplicaOptions
  #child: ChildProcess | undefined
  #exited: Promise<Exit> = Promise.resolve({ code: null, signal: null })
  #port = 0
  #opsPort = 0
  /** Set before the process is ended on purpose; any other end is unexpected. */
  #endsOnPurpose = false
  /** Length of the log when this process began. */
  #logStart = 0

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.name = options.name
    this.role = options.role
    this.logFile = join(options.logDir, `${options.name}.log`)
  }

  get pid(): number | undefined {
    const child = this.#child
    return child && child.exitCode === null && child.signalCode === null ? child.pid : undefined
  }

  /** Where the API's clients find it. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start(): Promise<void> {
    this.#port = await pickFreePort()
    this.#opsPort = await pickFreePort()
    const { role, env, record } = this.#options
    const entry = join(ROOT, 'services', role, 'src', 'main.ts')
    appendFileSync(this.logFile, '')
    this.#logStart = readFileSync(this.logFile).length
    const log = openSync(this.logFile, 'a')
    this.#endsOnPurpose = false
    const child = spawn(process.execPath, [...readNodeFlags(entry), entry], {
      env: {
        ...LIMITS_OUT_OF_REACH,
        ...process.env, // a service's own settings pass through from the shell
        ...env,
        ...{ NODE_ENV: 'production', HOST: '127.0.0.1' },
        ...{ PORT: String(this.#port), OPS_PORT: String(this.#opsPort) },
      },
      detached: true, // Ctrl-C must only reach this program, which stops everything in order
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
    if (child.pid === undefined) throw new Error(`${this.name} could not be started`)
    record({ pid: child.pid, words: [entry], signal: 'SIGTERM' })
    void this.#exited.then((exit) => this.#onExit(child, exit))
  }

  async #onExit(child: ChildProcess, { code, signal }: Exit): Promise<void> {
    if (this.#endsOnPurpose || child !== this.#child) return
    const tail = this.readLog().trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
    const line = `${this.name} (pid ${child.pid}) ended unexpectedly, ${signal ?? `exit code ${code}`}:\n${tail}`
    this.#options.onSelfExit(line, this.role)
    await delay(RESTART_BACK_OFF_MS)
    if (!this.#endsOnPurpose) await this.start()
  }

  /** The log of this process, without its predecessors. */
  readLog(): string {
    return readFileSync(this.logFile).subarray(this.#logStart).toString('utf8')
  }

  /** @throws Error when it is not ready in time. */
  async untilReady(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await this.#isReady())) {
      if (performance.now() > deadline) throw new Error(`${this.name} is not ready within ${timeoutMs / 1_000} s`)
      await delay(READY_POLL_MS, undefined, { signal })
    }
  }

  async #isReady(): Promise<boolean> {
    return this.pid !== undefined && isReady(`http://127.0.0.1:${this.#opsPort}`, PROBE_TIMEOUT_MS)
  }

  /** True if the process was running and ended by this signal. */
  async kill(): Promise<boolean> {
    if (this.pid === undefined) return false
    this.#endsOnPurpose = true
    this.#child?.kill('SIGKILL')
    return (await this.#exited).signal === 'SIGKILL'
  }

  /** Resolves when the kernel has stopped it; false if it is not running. */
  async pause(): Promise<boolean> {
    const { pid } = this
    if (pid === undefined) return false
    this.#child?.kill('SIGSTOP')
    for (let tries = 0; tries < 50 && !isStopped(pid); tries++) await delay(2)
    return isStopped(pid)
  }

  /** True if it was stopped until now. */
  resume(): boolean {
    const { pid } = this
    const held = pid !== undefined && isStopped(pid)
    this.#child?.kill('SIGCONT')
    return held
  }

  /** Sends SIGTERM, and SIGKILL if it takes too long. Returns how it ended. */
  async stop(): Promise<Exit> {
    this.#endsOnPurpose = true
    if (this.pid !== undefined) {
      this.#child?.kill('SIGTERM')
      this.#child?.kill('SIGCONT')
    }
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_DEADLINE_MS)
    const exit = await this.#exited
    clearTimeout(late)
    return exit
  }
}
