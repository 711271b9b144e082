import { randomInt } from 'node:crypto'
import { parseInOneLine, parseNumber } from '@streamledger/engines'

export interface FuzzArguments {
  readonly seed: number
  /** Requests in each mode, about: with a token, and without. */
  readonly cases: number
  readonly help: boolean
}

const SEED_MAX = 2 ** 31 - 1
const CASES = 10_000
const CASES_MIN = 100
const CASES_MAX = 1_000_000
const OPTIONS = {
  seed: { type: 'string' },
  cases: { type: 'string' },
  help: { type: 'boolean', default: false, short: 'h' },
} as const

export const USAGE = `npm run fuzz -- [options]

Starts the API on engines of its own, makes requests from the OpenAPI document that it serves, once with a token and once
without, and holds every answer to that document. See fuzz/README.md.

  --cases N   about so many requests in each of the two modes (${CASES})
  --seed N    0 to ${SEED_MAX}: the same seed makes the same requests, as far as they do not depend on answers (drawn)
  --help      shows this

Exit code 0: nothing was found. 1: something was, or went wrong. 130: it was stopped.`

/** @throws Error, one line, for arguments that make no sense. */
export function parseFuzzArguments(args: readonly string[]): FuzzArguments {
  const values = parseInOneLine({ args: [...args], options: OPTIONS }).values
  return {
    seed: parseNumber('seed', values.seed, { min: 0, max: SEED_MAX }) ?? randomInt(SEED_MAX),
    cases: parseNumber('cases', values.cases, { min: CASES_MIN, max: CASES_MAX }) ?? CASES,
    help: values.help,
  }
}
