import { setTimeout as delay } from 'node:timers/promises'
import type { Exit } from '@streamledger/engines'
import type { Screen } from './screen.ts'

const RESTART_ATTEMPTS_MAX = 5
const RESTART_BACK_OFF_MS = 1_000

type Engine = { readonly pid: number; readonly exited: Promise<Exit>; stop(): Promise<void>; kill(): Promise<void> }

export type RunningEngine<T extends Engine> = {
  readonly current: T
  stop(): Promise<void>
  kill(): void
}

/** Starts an engine, and starts it again on the same data and port when it dies, until it is stopped. */
export async function keepEngineRunning<T extends Engine>(
  start: () => Promise<T>,
  { name, logDir, screen, onProcess }: { name: string; logDir: string; screen: Screen; onProcess: () => void },
): Promise<RunningEngine<T>> {
  const stopping = new AbortController()
  let current = await start()

  const restart = async () => {
    for (let attempt = 1; attempt <= RESTART_ATTEMPTS_MAX; attempt++) {
      await delay(RESTART_BACK_OFF_MS * attempt, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return false
      try {
        current = await start()
        onProcess()
        screen.progress(`${name} answers again`)
        return true
      } catch (error) {
        screen.warn((error as Error).message)
      }
    }
    screen.warn(
      `${name} is not started again after ${RESTART_ATTEMPTS_MAX} attempts: stop with Ctrl-C and read the logs in ${logDir}`,
    )
    return false
  }
  const watch = async () => {
    for (;;) {
      const { code, signal } = await current.exited
      if (stopping.signal.aborted) return
      screen.warn(`${name} ended unexpectedly (${signal ?? `exit code ${code}`}), starting it again`)
      if (!(await restart())) return
    }
  }
  const watching = watch()
  return {
    get current() {
      return current
    },
    async stop() {
      stopping.abort()
      await current.stop()
      await watching
      await current.stop() // a restart may have been under way
    },
    kill: () => {
      stopping.abort()
      void current.kill()
    },
  }
}
