/** A spreadsheet keeps this many significant digits of a number. */
export const DIGITS_MAX = 15

/** Whether a spreadsheet keeps all digits of this figure as a number. */
export function isExact(kobo: number | bigint): boolean {
  if (kobo < 10 ** DIGITS_MAX && kobo > -(10 ** DIGITS_MAX)) return true
  return String(kobo).replace(/^-|0+$/g, '').length <= DIGITS_MAX
}

/** Kobo as naira, always a number: the double closest to the decimal. If it is not exact, it is rounded. */
export function nairaNumber(kobo: number): number {
  return kobo / 100
}

/** Kobo as naira, always exact: a number if a spreadsheet keeps all of its digits, otherwise those digits as text. */
export function exactNaira(kobo: number | bigint): number | string {
  if (isExact(kobo)) return Number(`${kobo}e-2`) // rounded once; a division would round a sum beyond 2^53 twice
  const digits = String(kobo)
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/**
 * With these first characters a spreadsheet may read text as a formula, when it is saved as CSV and opened again. Four
 * are full-width. The last one is the prefix itself.
 */
const PREFIXED = /^[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20']/

/**
 * Text from users, written so that no spreadsheet runs it as a formula (OWASP ASVS 1.2.10). A cell that begins with an
 * apostrophe is prefixed, any other is not: so two texts never become the same cell, and the text is what follows the
 * apostrophe.
 */
export function textCell(text: string): string {
  return escapeXml(PREFIXED.test(text) ? `'${text}` : text)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the format does not allow these characters.
const NOT_XML = /[\u0000-\u001f\u007f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}[_\u0000-\u001f\u007f\ufffe\uffff])/g

/**
 * Escapes characters that XML does not allow or readers drop, in the format of Office (ST_Xstring), and text that looks
 * like such an escape, or would look so once the character after it is escaped. So two different texts never become the
 * same cell, and no character makes the file unreadable.
 */
function escapeXml(text: string): string {
  return text.replace(NOT_XML, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    return `_x${code}_`
  })
}
