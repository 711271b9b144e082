import { CliError } from './errors.ts'

/** The whole number of an option, checked against its bounds. */
export function parseCount(name: string, text: string, { min, max }: { min: number; max: number }): number {
  const count = Number(text)
  if (/^\d{1,9}$/.test(text) && count >= min && count <= max) return count
  throw new CliError('usage', `--${name} is "${text}"; it must be a whole number from ${min} to ${max}.`)
}
