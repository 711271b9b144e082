import { dictionary } from '@zxcvbn-ts/language-common'

/** Shorter passwords are already refused for their length. */
const CHARACTERS_MIN = 8
const COUNT = 3_000
/** Likely guesses for this product in particular. */
const OWN = ['streamledger', 'streamledger1', 'streamledger123']

/** The most common passwords of published leaks, in lower case, most common first. */
export const commonPasswords: ReadonlySet<string> = new Set([
  ...dictionary['passwords-common'].filter((password) => password.length >= CHARACTERS_MIN).slice(0, COUNT),
  ...OWN,
])
