import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createScreen } from '@streamledger/engines'
import { parseChaosArguments, USAGE } from './chaos-arguments.ts'
import { renderReport } from './render-report.ts'
import { runChaos } from './run-chaos.ts'

/** Of a shell for a program that was interrupted. */
const EXIT_STOPPED = 130

/** What `npm run chaos` runs. Exit code 0 only when nothing was found. */
async function chaos(): Promise<number> {
  const screen = createScreen()
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new Error('stopped')))
  }
  try {
    const args = parseChaosArguments(process.argv.slice(2))
    if (args.help) {
      screen.write(USAGE)
      return 0
    }
    const report = await runChaos(args, screen, stop.signal)
    screen.write(`\n${renderReport(report)}`)
    if (args.json !== undefined) writeFileSync(resolve(args.json), `${JSON.stringify(report, undefined, 2)}\n`)
    return report.ok ? 0 : 1
  } catch (error) {
    screen.write(stop.signal.aborted ? 'stopped' : (error as Error).message)
    return stop.signal.aborted ? EXIT_STOPPED : 1
  }
}

process.exit(await chaos())
