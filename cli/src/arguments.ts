import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Command, OptionValues } from './command.ts'
import { COMMANDS } from './commands.ts'
import { CliError } from './errors.ts'

export interface Arguments {
  /** Undefined if no command was named. */
  command: Command | undefined
  options: OptionValues
}

const COMMON: ParseArgsOptionsConfig = {
  json: { type: 'boolean' },
  progress: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
}
/** Options that are allowed without a command. */
const ALONE: ParseArgsOptionsConfig = { ...COMMON, version: { type: 'boolean' } }

/** @throws CliError `usage` for an unknown command, option or argument. */
export function parseArguments(args: readonly string[]): Arguments {
  const words = args.filter((argument) => !argument.startsWith('-'))
  const command = COMMANDS.find(({ name }) => args.slice(0, 2).join(' ') === name || args[0] === name)
  if (!command) {
    if (words.length === 0) return { command, options: parse(args, ALONE, 'streamledger --help').values }
    throw new CliError('usage', unknownCommand(words))
  }
  const count = command.name.split(' ').length
  const help = `streamledger ${command.name} --help`
  const { values, positionals } = parse(args.slice(count), { ...COMMON, ...command.options }, help)
  if (positionals.length > 0) {
    throw new CliError('usage', `${command.name} takes no argument "${positionals[0]}". Try: ${help}`)
  }
  return { command, options: values }
}

function unknownCommand(words: readonly string[]): string {
  const typed = words.slice(0, 2).join(' ')
  const near = COMMANDS.filter(({ name }) => name.startsWith(words[0] as string)).map(({ name }) => name)
  const names = near.length > 0 ? near : COMMANDS.map(({ name }) => name)
  return `There is no command "${typed}". ${near.length > 0 ? 'Did you mean' : 'There are'}: ${names.join(', ')}? Try: streamledger --help`
}

function parse(args: readonly string[], options: ParseArgsOptionsConfig, help: string) {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return { values: values as OptionValues, positionals }
  } catch (error) {
    // The message of parseArgs is long; its first sentence says what is wrong.
    const [sentence] = (error as Error).message.split(/\.\s|\n/)
    throw new CliError('usage', `${sentence?.replace(/\.$/, '')}. Try: ${help}`)
  }
}
