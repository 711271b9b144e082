import type { InputFault } from '../errors.ts'
import { escapePointer, FAULTS_MAX, POINTER_CHARACTERS_MAX } from './describe-failure.ts'

const [QUOTE, BACKSLASH, COLON, OPEN, CLOSE, MINUS] = [...'"\\:{}-'].map((character) => character.charCodeAt(0))
const [ZERO, NINE, SPACE] = [...'09 '].map((character) => character.charCodeAt(0)) as [number, number, number]
/** Everything that a number can consist of. */
const NUMBER_PART = /[\d.eE+-]*/y

/** An object while it is read. */
interface OpenObject {
  keys: Set<string>
  /** The field whose value is read. */
  key: string
}

/**
 * Finds what JSON.parse changes without a word, in a text that it has accepted:
 * - A field that is there more than once: JSON.parse takes the last one, other readers take the first.
 * - A fraction that a double cannot hold: JSON.parse rounds it, possibly to an integer, which a schema then accepts.
 *
 * The pointers leave out the indexes of arrays: no body of this API has arrays. It scans the text by hand, because every
 * posting comes through here: a regular expression takes twice as long.
 */
export function findJsonFaults(text: string): InputFault[] {
  const faults: InputFault[] = []
  const open: OpenObject[] = []
  for (let at = 0; at < text.length && faults.length < FAULTS_MAX; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      const object = open.at(-1)
      if (object && isKey(text, end)) {
        object.key = readKey(text.slice(at, end + 1))
        if (object.keys.has(object.key)) faults.push(faultAt(open, 'is there more than once'))
        object.keys.add(object.key)
      }
      at = end
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      NUMBER_PART.lastIndex = at
      const [number = ''] = NUMBER_PART.exec(text) ?? []
      if (isRoundedToInteger(number)) faults.push(faultAt(open, 'is a fraction, which would be rounded to an integer'))
      at += number.length - 1
    } else if (code === OPEN) open.push({ keys: new Set(), key: '' })
    else if (code === CLOSE) open.pop()
  }
  return faults
}

/** Where the string that begins at `start` has its closing quote. */
function endOfString(text: string, start: number): number {
  const end = text.indexOf('"', start + 1)
  if (text.charCodeAt(end - 1) !== BACKSLASH) return end
  let at = start + 1
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at
}

/** Whether a colon follows the string that ends at `end`. JSON's white space has no code above that of the space. */
function isKey(text: string, end: number): boolean {
  let at = end + 1
  while (text.charCodeAt(at) <= SPACE) at += 1
  return text.charCodeAt(at) === COLON
}

/** Two spellings of a key are the same key: "amount" and "\u0061mount". */
function readKey(literal: string): string {
  return literal.includes('\\') ? JSON.parse(literal) : literal.slice(1, -1)
}

function faultAt(open: readonly OpenObject[], reason: string): InputFault {
  const pointer = open.map(({ key }) => `/${escapePointer(key)}`).join('')
  return { in: 'body', pointer: pointer.slice(0, POINTER_CHARACTERS_MAX), reason }
}

const FRACTION_OR_POWER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const ONLY_DIGITS = /^-?\d+$/

/** Whether a number is a fraction as it is written, and an integer as JSON.parse reads it. 1.0 and 1e2 are integers. */
function isRoundedToInteger(source: string): boolean {
  if (ONLY_DIGITS.test(source) || !Number.isInteger(Number(source))) return false
  const [, whole = '', part = '', exponent = '0'] = FRACTION_OR_POWER.exec(source) ?? []
  const digitsBeforePoint = Math.max(0, whole.length + Number(exponent))
  return /[1-9]/.test((whole + part).slice(digitsBeforePoint))
}
