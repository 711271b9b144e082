import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { runTool, type Screen } from '@streamledger/engines'
import { parseBenchArguments, USAGE } from './bench-arguments.ts'
import { renderReport } from './report/render-report.ts'
import { runBench } from './run-bench.ts'

/** What `npm run bench` runs. Exit code 0 when everything was measured, whether or not the goals are met. */
async function bench(screen: Screen, signal: AbortSignal): Promise<number> {
  const args = parseBenchArguments(process.argv.slice(2))
  if (args.help) {
    screen.write(USAGE)
    return 0
  }
  const report = await runBench(args, screen, signal)
  screen.write(`\n${renderReport(report)}`)
  if (args.json !== undefined) writeFileSync(resolve(args.json), `${JSON.stringify(report, undefined, 2)}\n`)
  return report.measurements.some(({ failures }) => failures.length > 0) ? 1 : 0
}

process.exit(await runTool(bench))
