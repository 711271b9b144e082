export interface NumberBounds {
  readonly min: number
  readonly max: number
  /** Fractions are allowed. */
  readonly fractions?: boolean
}

/**
 * The value of a numeric option; undefined without the option.
 *
 * @throws Error, one line, if it is not a number, not whole, or out of bounds
 */
export function parseNumber(
  option: string,
  text: string | undefined,
  { min, max, fractions = false }: NumberBounds,
): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  const isRight = text.trim() !== '' && (fractions || Number.isInteger(number)) && number >= min && number <= max
  if (isRight) return number
  throw new Error(`--${option} must be a ${fractions ? '' : 'whole '}number from ${min} to ${max}, not "${text}".`)
}
