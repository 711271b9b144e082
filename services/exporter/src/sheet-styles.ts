import type { Alignment, Style } from 'exceljs'

/** Indented, because the column to the left may end right here. */
const LEFT: Partial<Alignment> = { horizontal: 'left', vertical: 'top', indent: 1 }
/** At the top, so that it stands beside the first line of a text with several lines. */
const RIGHT: Partial<Alignment> = { horizontal: 'right', vertical: 'top' }
/** Named in full: some programs draw a font that is only `bold` with serifs. */
const FONT: Style['font'] = { name: 'Calibri', family: 2, size: 11, bold: true }

export const TEXT: Partial<Style> = { numFmt: '@', alignment: LEFT }
/** For text of any length: if it were wider than its column, the printed page would be scaled to the text. */
export const WRAPPED: Partial<Style> = { numFmt: '@', alignment: { ...LEFT, wrapText: true } }
export const TIME: Partial<Style> = { numFmt: 'yyyy-mm-dd hh:mm:ss.000', alignment: LEFT }
export const MONEY: Partial<Style> = { numFmt: '#,##0.00', alignment: RIGHT }
/** Says so of a number of more digits than a spreadsheet shows: it replaces the last ones with zeros. */
export const ROUNDED: Partial<Style> = { numFmt: '"≈ "#,##0.00', alignment: RIGHT }
/** For a figure as text. */
export const DIGITS: Partial<Style> = { numFmt: '@', alignment: RIGHT }
export const COUNT: Partial<Style> = { numFmt: '#,##0', alignment: RIGHT }
export const TITLE: Partial<Style> = { font: { ...FONT, size: 14 } }
export const BOLD: Partial<Style> = { font: FONT }
export const HEADER: Partial<Style> = {
  font: FONT,
  fill: { type: 'pattern', pattern: 'solid', fgColor: { argb: 'FFE8EEF4' } },
  border: { bottom: { style: 'thin' } },
}

const A4 = 9

/** Prints one page wide and any number of pages long, with sheet name and page number in the footer. */
export const PRINTED = {
  pageSetup: { paperSize: A4, fitToPage: true, fitToWidth: 1, fitToHeight: 0 },
  headerFooter: { oddFooter: '&L&A&RPage &P of &N' },
}
