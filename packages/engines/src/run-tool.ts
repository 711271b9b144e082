import { createScreen, type Screen } from './create-screen.ts'

/** Of a shell for a program that was interrupted. */
const EXIT_STOPPED = 130

/**
 * Runs a program that somebody watches until it ends, or until they have stopped it: the signal is aborted then. Returns its
 * exit code.
 *
 * @param describe says what went wrong
 */
export async function runTool(
  run: (screen: Screen, signal: AbortSignal) => Promise<number>,
  describe = (error: Error) => error.message,
): Promise<number> {
  const screen = createScreen()
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Error('stopped')))
  }
  try {
    return await run(screen, stop.signal)
  } catch (error) {
    screen.write(stop.signal.aborted ? 'stopped' : describe(error as Error))
    return stop.signal.aborted ? EXIT_STOPPED : 1
  }
}
