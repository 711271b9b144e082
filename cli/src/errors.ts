export type CliErrorCode = 'usage' | 'configuration' | 'unavailable' | 'unsuitable' | 'incomplete'

/** Why a command failed. The message is for the user, and says what to do. */
export class CliError extends Error {
  override name = 'CliError'
  readonly code: CliErrorCode
  constructor(code: CliErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Exit codes, for scripts. A dry run of `topic grow` or `grants` is `well`: nothing is wrong with the system. */
export const EXIT = { well: 0, faults: 1, failed: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
