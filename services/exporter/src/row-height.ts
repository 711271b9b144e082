/**
 * Widths of characters in digits, the unit of a column's width. Each is the larger one of Calibri and DejaVu Sans,
 * which replaces Calibri where that is missing.
 */
const [NARROW, COMMON, CAPITAL, WIDE] = [0.65, 1, 1.1, 1.85]
/** Widths by character code. Beyond ASCII, codes below FIRST_WIDE (alphabets) count as capitals, others as wide. */
const ASCII_WIDTHS = Float64Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (/[ !"'()*,\-./:;[\]`fijlrtI|]/.test(character)) return NARROW
  if (/[%@MWmw]/.test(character)) return WIDE
  return /[A-Z&]/.test(character) ? CAPITAL : COMMON
})
const FIRST_WIDE = 0x1100

/** The column's width of 40 minus indent and margins. A uuid, a common trans_id, takes one line. */
const LINE_WIDTH = 36
const LINE_HEIGHT_PT = 15
/** Excel limits a row to 409 points. */
const LINES_MAX = 27

const [NEW_LINE, SPACE, HYPHEN, SLASH] = [0x0a, 0x20, 0x2d, 0x2f]

/**
 * The row height for a text that wraps in its column. Excel computes it by itself, but LibreOffice would draw the text
 * over the rows above and below.
 *
 * @returns undefined for a text of one line: the default height fits
 */
export function rowHeightOf(text: string): number | undefined {
  const lines = Math.min(countLines(text), LINES_MAX)
  return lines === 1 ? undefined : lines * LINE_HEIGHT_PT
}

function countLines(text: string): number {
  let lines = 1
  let lineWidth = 0 // up to the last possible line break
  let wordWidth = 0 // after it
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
    // A word longer than a line is broken anywhere.
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
