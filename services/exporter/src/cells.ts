/** The largest count of significant digits that Excel keeps; it silently zeroes the ones beyond. */
const EXCEL_DIGITS_MAX = 15

/** An integer as Excel can hold it: a number where that is exact, otherwise its digits as text. */
export function integerCell(value: number): number | string {
  return isExact(value) ? value : String(value)
}

/** Kobo as naira with two decimals: a number where Excel holds it exactly, otherwise text that looks like one. */
export function nairaCell(kobo: number | bigint): number | string {
  // A quotient of at most 15 digits is the double closest to the decimal, so the digits that are written are the kobo's.
  if (isExact(kobo)) return Number(kobo) / 100
  const digits = String(kobo)
  return `${digits.slice(0, -2).replace(THOUSANDS, ',')}.${digits.slice(-2)}`
}

/** Before each three digits that end a number, but not at its beginning. */
const THOUSANDS = /\B(?=(?:\d{3})+$)/g

function isExact(integer: number | bigint): boolean {
  if (integer < 10 ** EXCEL_DIGITS_MAX && integer > -(10 ** EXCEL_DIGITS_MAX)) return true
  return String(integer).replace(/^-|0+$/g, '').length <= EXCEL_DIGITS_MAX
}

/** What makes a spreadsheet take text for a formula when it is edited, or re-read as CSV. The last four are full-width. */
const FORMULA_PREFIX = /^[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]/

/** Text that others chose, shown as text whatever it begins with (OWASP ASVS 1.2.10). */
export function textCell(text: string): string {
  return escapeXml(FORMULA_PREFIX.test(text) ? `'${text}` : text)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that the format cannot carry.
const NOT_XML = /[\u0000-\u001f\u007f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)/g

/**
 * Office's own escape (ST_Xstring) for what XML cannot carry or readers drop, and for text that looks like that escape:
 * two different texts never become the same cell, and no character makes the file unreadable.
 */
function escapeXml(text: string): string {
  return text.replace(NOT_XML, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    return `_x${code}_`
  })
}
