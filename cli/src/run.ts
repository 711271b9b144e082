import { RELEASE } from '@streamledger/runtime'
import { parseArguments } from './arguments.ts'
import { CliError, EXIT, type ExitCode } from './errors.ts'
import { renderHelp } from './help.ts'
import { createProgress, type Output, writeText } from './output.ts'

export interface World extends Output {
  env: NodeJS.ProcessEnv
  catchStop: () => AbortSignal
}

/** Runs one command line to its end, and returns the exit code of the process. */
export async function run(args: readonly string[], { env, stdout, stderr, catchStop }: World): Promise<ExitCode> {
  // Read first: a program that asked for JSON gets JSON even if its arguments are wrong.
  const wantsJson = args.includes('--json')
  const progress = createProgress(stderr, { forced: args.includes('--progress') })
  let stopped: AbortSignal | undefined
  const catchOwnStop = (): AbortSignal => {
    stopped = catchStop()
    return stopped
  }
  const answer = async (text: string, exitCode: ExitCode): Promise<ExitCode> => {
    const failure = await writeText(stdout, text, stopped)
    if (!failure) return exitCode
    await writeText(stderr, `The result could not be written: ${failure.message}`, stopped)
    return EXIT.failed
  }
  try {
    const { command, options } = parseArguments(args)
    if (!command && options.version) {
      return await answer(wantsJson ? JSON.stringify({ version: RELEASE }) : RELEASE, EXIT.well)
    }
    if (!command || options.help) {
      if (command || options.help) return await answer(renderHelp(command), EXIT.well)
      await writeText(stderr, renderHelp(command))
      return EXIT.failed
    }
    const result = await command.run({ options, env, progress, catchStop: catchOwnStop })
    progress.clear()
    const text = wantsJson ? JSON.stringify(result.json, undefined, 2) : result.text
    return await answer(text, result.exitCode)
  } catch (error) {
    progress.clear()
    const { code, message } = explain(error)
    await writeText(stderr, message, stopped)
    if (wantsJson)
      await writeText(stdout, JSON.stringify({ ok: false, error: { code, message } }, undefined, 2), stopped)
    return EXIT.failed
  }
}

function explain(error: unknown): { code: string; message: string } {
  if (error instanceof CliError) return error
  // A bug of this program: the stack says where it is.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'unexpected', message }
}
