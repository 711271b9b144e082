import { createScreen } from '@streamledger/engines'
import { parseDrillArguments, USAGE } from './drill/drill-arguments.ts'
import { runDrill } from './drill/run-drill.ts'

/** Of a shell for a program that was interrupted. */
const EXIT_STOPPED = 130

/** What `npm run drill` runs. Exit code 0 only when every claim holds. */
async function drill(): Promise<number> {
  const screen = createScreen()
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Error('stopped')))
  }
  try {
    const args = parseDrillArguments(process.argv.slice(2))
    if (args.help) {
      screen.write(USAGE)
      return 0
    }
    const { claims, failed } = await runDrill(args, screen, stop.signal)
    const verdict = failed.length === 0 ? `All ${claims} claims hold.` : `${failed.length} of ${claims} claims FAIL:`
    screen.write(['', verdict, ...failed.map((one) => `  ${one}`)].join('\n'))
    return failed.length === 0 ? 0 : 1
  } catch (error) {
    screen.write(stop.signal.aborted ? 'stopped' : ((error as Error).stack ?? String(error)))
    return stop.signal.aborted ? EXIT_STOPPED : 1
  }
}

process.exit(await drill())
