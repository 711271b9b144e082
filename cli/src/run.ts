import { RELEASE } from '@streamledger/runtime'
import { parseArguments } from './arguments.ts'
import { CliError, EXIT, type ExitCode } from './errors.ts'
import { renderHelp } from './help.ts'
import { createProgress, type Output, writeText } from './output.ts'

export interface World extends Output {
  env: NodeJS.ProcessEnv
  catchStop: () => AbortSignal
}

/** Runs one command line to its end. What it returns is the process's exit code. */
export async function run(args: readonly string[], { env, stdout, stderr, catchStop }: World): Promise<ExitCode> {
  // Also where the arguments can't be understood: a program that asked for JSON reads JSON.
  const wantsJson = args.includes('--json')
  const progress = createProgress(stderr, { forced: args.includes('--progress') })
  try {
    const { command, options } = parseArguments(args)
    if (!command && options.version) {
      await writeText(stdout, wantsJson ? JSON.stringify({ version: RELEASE }) : RELEASE)
      return EXIT.well
    }
    if (!command || options.help) {
      await writeText(command || options.help ? stdout : stderr, renderHelp(command))
      return command || options.help ? EXIT.well : EXIT.failed
    }
    const result = await command.run({ options, env, progress, catchStop })
    progress.clear()
    await writeText(stdout, wantsJson ? JSON.stringify(result.json, undefined, 2) : result.text)
    return result.exitCode
  } catch (error) {
    progress.clear()
    const { code, message } = explain(error)
    await writeText(stderr, message)
    if (wantsJson) await writeText(stdout, JSON.stringify({ ok: false, error: { code, message } }, undefined, 2))
    return EXIT.failed
  }
}

function explain(error: unknown): { code: string; message: string } {
  if (error instanceof CliError) return error
  // A fault of this program: whoever mends it needs to know where it was.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'unexpected', message }
}
