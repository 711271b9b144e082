import { createScreen } from '@streamledger/engines'
import { parseFuzzArguments, USAGE } from './fuzz-arguments.ts'
import { renderReport } from './render-report.ts'
import { runFuzz } from './run-fuzz.ts'

/** Of a shell for a program that was interrupted. */
const EXIT_STOPPED = 130

/** What `npm run fuzz` runs. Exit code 0 only when nothing was found. */
async function fuzz(): Promise<number> {
  const screen = createScreen()
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Error('stopped')))
  }
  try {
    const args = parseFuzzArguments(process.argv.slice(2))
    if (args.help) {
      screen.write(USAGE)
      return 0
    }
    const reports = await runFuzz(args, screen, stop.signal)
    screen.write(
      `\n${renderReport(reports)}\nThe same again: npm run fuzz -- --seed ${args.seed} --cases ${args.cases}`,
    )
    return reports.every(({ findings }) => findings.length === 0) ? 0 : 1
  } catch (error) {
    screen.write(stop.signal.aborted ? 'stopped' : (error as Error).message)
    return stop.signal.aborted ? EXIT_STOPPED : 1
  }
}

process.exit(await fuzz())
