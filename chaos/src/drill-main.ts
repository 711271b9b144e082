import { runTool, type Screen } from '@streamledger/engines'
import { parseDrillArguments, USAGE } from './drill/drill-arguments.ts'
import { runDrill } from './drill/run-drill.ts'

/** What `npm run drill` runs. Exit code 0 only when every claim holds. */
async function drill(screen: Screen, signal: AbortSignal): Promise<number> {
  const args = parseDrillArguments(process.argv.slice(2))
  if (args.help) {
    screen.write(USAGE)
    return 0
  }
  const { claims, failed } = await runDrill(args, screen, signal)
  const verdict = failed.length === 0 ? `All ${claims} claims hold.` : `${failed.length} of ${claims} claims FAIL:`
  screen.write(['', verdict, ...failed.map((one) => `  ${one}`)].join('\n'))
  return failed.length === 0 ? 0 : 1
}

process.exit(await runTool(drill, ({ stack, message }) => stack ?? message))
