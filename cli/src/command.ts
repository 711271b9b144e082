import type { ParseArgsOptionsConfig } from 'node:util'
import type { ExitCode } from './errors.ts'
import type { Progress } from './output.ts'

/** The values of a command's own options, by name. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>

interface CommandContext {
  options: OptionValues
  env: NodeJS.ProcessEnv
  progress: Progress
  /**
   * After this call, Ctrl-C and SIGTERM abort the returned signal instead of ending the process. For a command that must
   * clean up before it ends.
   */
  catchStop: () => AbortSignal
}

/** The result of a command: as an exit code for scripts, as JSON for programs, as text for people. */
export interface CommandResult {
  exitCode: ExitCode
  /** What --json prints. */
  json: object
  /** What is printed without --json. */
  text: string
}

export interface Command {
  /** As it is typed: one or two words. */
  name: string
  /** One line in the list of commands. */
  summary: string
  /** The text of --help. */
  help: string
  /** In addition to --json, --progress and --help, which every command has. */
  options: ParseArgsOptionsConfig
  run(context: CommandContext): Promise<CommandResult>
}
