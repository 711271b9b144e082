/**
 * How wide a character is drawn, in digits, which is what a column's width is counted in: by Calibri, or by DejaVu Sans,
 * which stands in where Calibri is missing, whichever is wider.
 */
const [NARROW, COMMON, CAPITAL, WIDE] = [0.65, 1, 1.1, 1.85]
/** By its code; beyond these, an alphabet's letters are taken for capitals, and what has none for wide. */
const ASCII_WIDTHS = Float64Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (/[ !"'()*,\-./:;[\]`fijlrtI|]/.test(character)) return NARROW
  if (/[%@MWmw]/.test(character)) return WIDE
  return /[A-Z&]/.test(character) ? CAPITAL : COMMON
})
const FIRST_WIDE = 0x1100

/** Of the column's 40, less the indent and the margins: a uuid, which many a trans_id is, takes one line. */
const LINE_WIDTH = 36
const LINE_HEIGHT_PT = 15
/** No row of Excel is higher than 409 points. */
const LINES_MAX = 27

const [NEW_LINE, SPACE, HYPHEN, SLASH] = [0x0a, 0x20, 0x2d, 0x2f]

/**
 * How high a row must be for all of a text that is wrapped into its column. Excel finds out by itself, but LibreOffice
 * draws it over the rows above and below.
 *
 * @returns undefined for a text of one line, whose row needs no height of its own
 */
export function rowHeightOf(text: string): number | undefined {
  const lines = Math.min(countLines(text), LINES_MAX)
  return lines === 1 ? undefined : lines * LINE_HEIGHT_PT
}

function countLines(text: string): number {
  let lines = 1
  let lineWidth = 0 // up to where the line may be broken last
  let wordWidth = 0 // what comes after that
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    const width = ASCII_WIDTHS[code] ?? (code < FIRST_WIDE ? CAPITAL : WIDE)
    wordWidth += width
    const isFull = lineWidth + wordWidth > LINE_WIDTH
    if (code === NEW_LINE || (isFull && lineWidth > 0)) {
      lines += 1
      lineWidth = 0
    }
    if (code === NEW_LINE) wordWidth = 0
    // A word that is longer than a line is broken anywhere.
    if (wordWidth > LINE_WIDTH) {
      lines += 1
      wordWidth = width
    }
    if (code === SPACE || code === HYPHEN || code === SLASH) {
      lineWidth += wordWidth
      wordWidth = 0
    }
  }
  return lines
}
