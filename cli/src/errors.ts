export type CliErrorCode = 'usage' | 'configuration' | 'unavailable' | 'unsuitable' | 'incomplete'

/** Why a command could not do what it was asked for. The message is for the one who typed it, and says what to do. */
export class CliError extends Error {
  override name = 'CliError'
  readonly code: CliErrorCode
  constructor(code: CliErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What scripts go by: 0 only when all is well. */
export const EXIT = { well: 0, faults: 1, failed: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
