import { dictionary } from '@zxcvbn-ts/language-common'

/** Shorter ones are refused for their length. */
const CHARACTERS_MIN = 8
const COUNT = 3_000
/** What a guesser tries here and nowhere else. */
const OWN = ['streamledger', 'streamledger1', 'streamledger123']

/** What a guesser tries first, in lower case: the most common passwords of published leaks, most common first. */
export const commonPasswords: ReadonlySet<string> = new Set([
  ...dictionary['passwords-common'].filter((password) => password.length >= CHARACTERS_MIN).slice(0, COUNT),
  ...OWN,
])
