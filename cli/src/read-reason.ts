import type { OptionValues } from './command.ts'
import { CliError } from './errors.ts'

/** The value of --reason, which a command with --yes records. */
export function readReason(reason: OptionValues[string]): string {
  const text = String(reason ?? '').trim()
  if (text) return text
  throw new CliError('usage', '--reason is missing: what happened? It is recorded.')
}
