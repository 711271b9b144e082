/** Excel keeps this many significant digits; it silently replaces further ones with zeros. */
const EXCEL_DIGITS_MAX = 15

/** An integer as a cell: a number if Excel stores it exactly, otherwise its digits as text. */
export function integerCell(value: number): number | string {
  return isExact(value) ? value : String(value)
}

/** Kobo as naira with two decimals: a number if Excel stores it exactly, otherwise text in the same format. */
export function nairaCell(kobo: number | bigint): number | string {
  // With at most 15 digits the quotient is the double closest to the decimal, so the written digits are exact.
  if (isExact(kobo)) return Number(kobo) / 100
  const digits = String(kobo)
  return `${digits.slice(0, -2).replace(THOUSANDS, ',')}.${digits.slice(-2)}`
}

/** Matches the places of the thousands separators. */
const THOUSANDS = /\B(?=(?:\d{3})+$)/g

function isExact(integer: number | bigint): boolean {
  if (integer < 10 ** EXCEL_DIGITS_MAX && integer > -(10 ** EXCEL_DIGITS_MAX)) return true
  return String(integer).replace(/^-|0+$/g, '').length <= EXCEL_DIGITS_MAX
}

/**
 * With these first characters a spreadsheet may read text as a formula, on editing or as CSV. The last four are
 * full-width.
 */
const FORMULA_PREFIX = /^[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]/

/** Text from users, written so that no spreadsheet runs it as a formula (OWASP ASVS 1.2.10). */
export function textCell(text: string): string {
  return escapeXml(FORMULA_PREFIX.test(text) ? `'${text}` : text)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the format does not allow these characters.
const NOT_XML = /[\u0000-\u001f\u007f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)/g

/**
 * Escapes characters that XML does not allow or readers drop, in the format of Office (ST_Xstring), and text that looks
 * like such an escape. So two different texts never become the same cell, and no character makes the file unreadable.
 */
function escapeXml(text: string): string {
  return text.replace(NOT_XML, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    return `_x${code}_`
  })
}
