import { runTool, type Screen } from '@streamledger/engines'
import { parseDrillArguments, USAGE } from './drill/drill-arguments.ts'
import { runDrill } from './drill/run-drill.ts'
import { FAIL_OVER_USAGE, parseFailOverArguments } from './fail-over/fail-over-arguments.ts'
import { renderFailOver } from './fail-over/render-fail-over.ts'
import { renderAsynchronous, runAsynchronous } from './fail-over/run-asynchronous.ts'
import { runFailOver } from './fail-over/run-fail-over.ts'

/** What `npm run drill` runs. Exit code 0 only when every claim holds. */
async function drill(screen: Screen, signal: AbortSignal): Promise<number> {
  const words = process.argv.slice(2)
  if (words[0] === 'fail-over') return failOver(words.slice(1), screen, signal)
  const args = parseDrillArguments(words)
  if (args.help) {
    screen.write(USAGE)
    return 0
  }
  const { claims, failed } = await runDrill(args, screen, signal)
  const verdict = failed.length === 0 ? `All ${claims} claims hold.` : `${failed.length} of ${claims} claims FAIL:`
  screen.write(['', verdict, ...failed.map((one) => `  ${one}`)].join('\n'))
  return failed.length === 0 ? 0 : 1
}

async function failOver(words: readonly string[], screen: Screen, signal: AbortSignal): Promise<number> {
  const args = parseFailOverArguments(words)
  if (args.help) {
    screen.write(FAIL_OVER_USAGE)
    return 0
  }
  if (args.asynchronous) {
    const report = await runAsynchronous(args, screen, signal)
    screen.write(`\n${renderAsynchronous(report)}`)
    return report.account.failed.length === 0 ? 0 : 1
  }
  const report = await runFailOver(args, screen, signal)
  screen.write(`\n${renderFailOver(report)}`)
  return report.findings.total === 0 ? 0 : 1
}

process.exit(await runTool(drill, ({ stack, message }) => stack ?? message))
