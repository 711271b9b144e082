import type { ParseArgsOptionsConfig } from 'node:util'
import type { ExitCode } from './errors.ts'
import type { Progress } from './output.ts'

/** The values of a command's own options, by name. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>

export interface CommandContext {
  options: OptionValues
  env: NodeJS.ProcessEnv
  progress: Progress
  /**
   * From the call on, Ctrl-C and SIGTERM abort this signal instead of ending the process: for a command that has to put
   * something back first.
   */
  catchStop: () => AbortSignal
}

/** What a command has found: for programs, for people, and for whoever only looks at the exit code. */
export interface CommandResult {
  exitCode: ExitCode
  /** What --json prints. */
  json: object
  /** What people read instead. */
  text: string
}

export interface Command {
  /** As it is typed: one word, or two. */
  name: string
  /** One line in the list of commands. */
  summary: string
  /** All that --help says. */
  help: string
  /** Beside --json, --progress and --help, which every command has. */
  options: ParseArgsOptionsConfig
  run(context: CommandContext): Promise<CommandResult>
}
