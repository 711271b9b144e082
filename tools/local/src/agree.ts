import { inspect, isDeepStrictEqual } from 'node:util'

const WHOLE = {
  depth: Number.POSITIVE_INFINITY,
  maxArrayLength: null,
  maxStringLength: null,
  breakLength: 120,
} as const

/** Two parts of the demo that should be equal and are not. */
export class Disagreement extends Error {
  /** Both values in full: assert's own difference leaves out lines of all but the shortest. */
  readonly difference: string

  constructor(message: string, { actual, expected }: { actual: unknown; expected: unknown }) {
    super(message)
    this.difference = `expected: ${inspect(expected, WHOLE)}\nfound: ${inspect(actual, WHOLE)}`
  }
}

/** @throws Disagreement, with `fault` as its message, unless both values are deeply equal. */
export function agree(actual: unknown, expected: unknown, fault: string): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Disagreement(fault, { actual, expected })
}
