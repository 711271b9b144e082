import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { readNodeFlags, signalProcess } from '@streamledger/engines'
import type { ServicePlan } from './plan-services.ts'
import type { ServiceLog } from './service-log.ts'

const READY_POLL_INTERVAL_MS = 50
const READY_DEADLINE_MS = 60_000
const PROBE_TIMEOUT_MS = 2_000
// Attempts for a service that has never been ready: more would only hide its error.
const START_ATTEMPTS_MAX = 3
const BACK_OFF_MIN_MS = 500
const BACK_OFF_MAX_MS = 10_000
// After this time a failure has a new cause, so the back-off begins anew.
const STEADY_MS = 60_000
const STOP_DEADLINE_MS = 15_000

export type SupervisedService = {
  readonly plan: ServicePlan
  readonly pid: number | undefined
  /** Resolves when it is ready for the first time; rejects when it cannot be brought up. */
  readonly ready: Promise<void>
  /** Sends SIGTERM, then SIGKILL after the deadline of the drain. */
  stop(): Promise<void>
  kill(): void
}

export type Supervision = {
  log: ServiceLog
  report: (line: string) => void
  progress: (line: string) => void
  /** Called whenever the process behind the service changes. */
  onProcess: () => void
}

/** Runs a service and starts it again when it dies, until it is stopped. */
export function superviseService(
  plan: ServicePlan,
  { log, report, progress, onProcess }: Supervision,
): SupervisedService {
  const stopping = new AbortController()
  const once = Promise.withResolvers<void>()
  once.promise.catch(() => {}) // prevents an unhandled rejection: while the stack stops, no caller waits for it
  let child: ChildProcess | undefined
  let everReady = false

  const runOnce = async () => {
    child = spawnService(plan)
    const exited = new Promise<string>((resolve) => {
      child?.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
      child?.once('error', (error) => resolve(error.message))
    })
    if (child.stdout) log.follow(child.stdout)
    if (child.stderr) log.follow(child.stderr)
    onProcess()
    const gone = new AbortController()
    const watching = waitUntilReady(plan, gone.signal).then((ready) => {
      if (!ready) return
      if (everReady) progress(`${plan.name} is ready again`)
      everReady = true
      once.resolve()
    })
    const reason = await exited
    gone.abort()
    await watching
    return reason
  }

  const loop = async () => {
    for (let attempt = 1; ; attempt++) {
      const startedAt = performance.now()
      const reason = await runOnce()
      if (stopping.signal.aborted) return
      if (performance.now() - startedAt > STEADY_MS) attempt = 1
      const backOffMs = Math.min(BACK_OFF_MIN_MS * 2 ** (attempt - 1), BACK_OFF_MAX_MS)
      if (!everReady && attempt === START_ATTEMPTS_MAX) {
        throw new Error(`${plan.name} does not start (${reason}).\n${log.tail()}`)
      }
      report(`${plan.name} ended (${reason}); starting it again in ${backOffMs / 1000} s`)
      await delay(backOffMs, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
    }
  }
  const looping = loop().catch((error) => once.reject(error))
  const slow = delay(READY_DEADLINE_MS, undefined, { signal: stopping.signal, ref: false })
  slow
    .then(() => once.reject(new Error(`${plan.name} is not ready after ${READY_DEADLINE_MS / 1000} s.`)))
    .catch(() => {})

  const kill = () => void (isRunning(child) && signalProcess(-(child.pid as number), 'SIGKILL'))
  return {
    plan,
    get pid() {
      return isRunning(child) ? child.pid : undefined
    },
    ready: once.promise,
    kill,
    async stop() {
      stopping.abort()
      if (isRunning(child)) child.kill('SIGTERM')
      const late = setTimeout(kill, STOP_DEADLINE_MS)
      await looping
      clearTimeout(late)
    },
  }
}

function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
}

function spawnService({ entry, env }: ServicePlan): ChildProcess {
  // Its own process group: Ctrl-C in the terminal reaches only the supervisor, which stops everything in order.
  return spawn(process.execPath, [...readNodeFlags(entry), entry], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function waitUntilReady({ opsUrl }: ServicePlan, gone: AbortSignal): Promise<boolean> {
  while (!gone.aborted) {
    try {
      const signal = AbortSignal.any([gone, AbortSignal.timeout(PROBE_TIMEOUT_MS)])
      const response = await fetch(`${opsUrl}/health/ready`, { signal })
      await response.body?.cancel()
      if (response.status === 200) return true
    } catch {
      // The port is not open yet.
    }
    await delay(READY_POLL_INTERVAL_MS, undefined, { signal: gone }).catch(() => {})
  }
  return false
}
