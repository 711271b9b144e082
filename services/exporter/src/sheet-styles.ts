import type { Alignment, Style } from 'exceljs'

/** The left one of two columns may end where the right one begins. */
const LEFT: Partial<Alignment> = { horizontal: 'left', vertical: 'top', indent: 1 }
/** Beside a text of several lines, what belongs to it stands where it begins. */
const RIGHT: Partial<Alignment> = { horizontal: 'right', vertical: 'top' }
/** A font that is bold and nothing else is drawn with serifs by some programs. */
const FONT: Style['font'] = { name: 'Calibri', family: 2, size: 11, bold: true }

export const TEXT: Partial<Style> = { numFmt: '@', alignment: LEFT }
/** Text of any length that must not reach beyond its column: a page would be made as wide as the text. */
export const WRAPPED: Partial<Style> = { numFmt: '@', alignment: { ...LEFT, wrapText: true } }
export const TIME: Partial<Style> = { numFmt: 'yyyy-mm-dd hh:mm:ss.000', alignment: LEFT }
export const ID: Partial<Style> = { numFmt: '0', alignment: LEFT }
export const MONEY: Partial<Style> = { numFmt: '#,##0.00', alignment: RIGHT }
export const COUNT: Partial<Style> = { numFmt: '#,##0', alignment: RIGHT }
export const TITLE: Partial<Style> = { font: { ...FONT, size: 14 } }
export const BOLD: Partial<Style> = { font: FONT }
export const HEADER: Partial<Style> = {
  font: FONT,
  fill: { type: 'pattern', pattern: 'solid', fgColor: { argb: 'FFE8EEF4' } },
  border: { bottom: { style: 'thin' } },
}

const A4 = 9

/** As wide as a page and as long as it takes, with the sheet's name and the page's number below. */
export const PRINTED = {
  pageSetup: { paperSize: A4, fitToPage: true, fitToWidth: 1, fitToHeight: 0 },
  headerFooter: { oddFooter: '&L&A&RPage &P of &N' },
}
