import { type ParseArgsConfig, parseArgs } from 'node:util'

/**
 * As `parseArgs`, which explains itself over several lines; the first says what is wrong.
 *
 * @throws Error, one line, for options that it does not know, or that lack their value
 */
export function parseInOneLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new Error(`${(error as Error).message.split('\n')[0]} Try --help.`)
  }
}
