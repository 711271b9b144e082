import { type ParseArgsConfig, parseArgs } from 'node:util'

/**
 * Like `parseArgs`, but with only the first line of its error message.
 *
 * @throws Error, one line, for an unknown option or a missing value
 */
export function parseInOneLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new Error(`${(error as Error).message.split('\n')[0]} Try --help.`)
  }
}
