import { randomInt } from 'node:crypto'
import { parseInOneLine, parseNumber } from '@streamledger/engines'

export interface FuzzArguments {
  readonly seed: number
  /** Approximate number of requests in each mode: with a token, and without. */
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

Starts the API on its own engines, generates requests from its OpenAPI document, with a token and without, and checks each
answer against that document. See tools/fuzz/README.md.

  --cases N   approximate number of requests in each of the two modes (${CASES})
  --seed N    0 to ${SEED_MAX}; the same seed makes the same requests, as far as they do not depend on answers (random)
  --help      shows this

Exit code 0: nothing was found. 1: something was found, or went wrong. 130: the run was stopped.`

/** @throws Error, one line, for invalid arguments. */
export function parseFuzzArguments(args: readonly string[]): FuzzArguments {
  const values = parseInOneLine({ args: [...args], options: OPTIONS }).values
  return {
    seed: parseNumber('seed', values.seed, { min: 0, max: SEED_MAX }) ?? randomInt(SEED_MAX),
    cases: parseNumber('cases', values.cases, { min: CASES_MIN, max: CASES_MAX }) ?? CASES,
    help: values.help,
  }
}
