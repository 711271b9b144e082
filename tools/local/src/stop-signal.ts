import type { Screen } from './screen.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
// One Ctrl-C arrives several times: from the terminal, from npm and from the bootstrap.
const SAME_REQUEST_MS = 1_000

export type StopSignal = {
  /** Aborted by the first request to stop. */
  readonly stop: AbortSignal
  /** Aborted by the second request: stop at once. */
  readonly hurry: AbortSignal
}

/** Turns Ctrl-C, or the end of the parent process, into a request to stop, and a second Ctrl-C into a request to hurry. */
export function createStopSignal(screen: Screen): StopSignal {
  const stop = new AbortController()
  const hurry = new AbortController()
  let requestedAt = 0
  const request = () => {
    if (!stop.signal.aborted) {
      requestedAt = performance.now()
      screen.write('')
      screen.progress('stopping; press Ctrl-C again to hurry')
      stop.abort()
    } else if (performance.now() - requestedAt > SAME_REQUEST_MS && !hurry.signal.aborted) {
      screen.progress('hurrying')
      hurry.abort()
    }
  }
  for (const signal of SIGNALS) process.on(signal, request)
  if (process.connected) process.once('disconnect', request)
  return { stop: stop.signal, hurry: hurry.signal }
}

const KEEP_ALIVE_INTERVAL_MS = 3_600_000

/** Waits for the signal, and keeps the process alive until then: a signal listener alone does not. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_INTERVAL_MS)
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  clearInterval(keepAlive)
}
