import { createScreen, type Screen } from './create-screen.ts'

/** A shell's exit code for an interrupted program. */
const EXIT_STOPPED = 130

/**
 * Runs a program with progress output until it ends. SIGINT, SIGTERM or SIGHUP abort its signal. Returns its exit code.
 *
 * @param describe turns an error into the message to print
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
