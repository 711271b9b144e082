import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createScreen } from '@streamledger/engines'
import { parseBenchArguments, USAGE } from './bench-arguments.ts'
import { renderReport } from './report/render-report.ts'
import { runBench } from './run-bench.ts'

/** Of a shell for a program that was interrupted. */
const EXIT_STOPPED = 130

/** What `npm run bench` runs. Exit code 0 when everything was measured, whether or not the goals are met. */
async function bench(): Promise<number> {
  const screen = createScreen()
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Error('stopped')))
  }
  try {
    const args = parseBenchArguments(process.argv.slice(2))
    if (args.help) {
      screen.write(USAGE)
      return 0
    }
    const report = await runBench(args, screen, stop.signal)
    screen.write(`\n${renderReport(report)}`)
    if (args.json !== undefined) writeFileSync(resolve(args.json), `${JSON.stringify(report, undefined, 2)}\n`)
    return report.measurements.some(({ failures }) => failures.length > 0) ? 1 : 0
  } catch (error) {
    screen.write(stop.signal.aborted ? 'stopped' : (error as Error).message)
    return stop.signal.aborted ? EXIT_STOPPED : 1
  }
}

process.exit(await bench())
