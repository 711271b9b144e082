import { runTool, type Screen } from '@streamledger/engines'
import { parseFuzzArguments, USAGE } from './fuzz-arguments.ts'
import { renderReport } from './render-report.ts'
import { runFuzz } from './run-fuzz.ts'

/** What `npm run fuzz` runs. Exit code 0 only when nothing was found. */
async function fuzz(screen: Screen, signal: AbortSignal): Promise<number> {
  const args = parseFuzzArguments(process.argv.slice(2))
  if (args.help) {
    screen.write(USAGE)
    return 0
  }
  const reports = await runFuzz(args, screen, signal)
  screen.write(
    `\n${renderReport(reports)}\nTo repeat this run: npm run fuzz -- --seed ${args.seed} --cases ${args.cases}`,
  )
  return reports.every(({ findings }) => findings.length === 0) ? 0 : 1
}

process.exit(await runTool(fuzz))
