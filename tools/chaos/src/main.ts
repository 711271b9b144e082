import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { runTool, type Screen } from '@streamledger/engines'
import { parseChaosArguments, USAGE } from './chaos-arguments.ts'
import { renderReport } from './render-report.ts'
import { runChaos } from './run-chaos.ts'

/** What `npm run chaos` runs. Exit code 0 only when nothing was found. */
async function chaos(screen: Screen, signal: AbortSignal): Promise<number> {
  const args = parseChaosArguments(process.argv.slice(2))
  if (args.help) {
    screen.write(USAGE)
    return 0
  }
  const report = await runChaos(args, screen, signal)
  screen.write(`\n${renderReport(report)}`)
  if (args.json !== undefined) writeFileSync(resolve(args.json), `${JSON.stringify(report, undefined, 2)}\n`)
  return report.ok ? 0 : 1
}

process.exit(await runTool(chaos))
