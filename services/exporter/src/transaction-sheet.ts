import type { Style, Worksheet } from 'exceljs'
import { createRowRenderer, type WorkbookRow } from './row-xml.ts'
import { DIGITS, HEADER, MONEY, PRINTED, ROUNDED, TEXT, TIME, WRAPPED } from './sheet-styles.ts'

/**
 * Each column has cells of one type, whatever the figures are: a program takes a column's type from its first rows. The
 * style objects are shared: exceljs recognizes a style by its object.
 */
const COLUMNS: readonly { header: (currency: string) => string; width: number; style: Partial<Style> }[] = [
  { header: () => 'Date (UTC)', width: 25, style: TIME },
  { header: () => 'Transaction ID', width: 19, style: TEXT },
  { header: () => 'Entry', width: 10, style: TEXT },
  { header: (currency) => `Amount (${currency})`, width: 23, style: MONEY },
  { header: (currency) => `Balance (${currency})`, width: 23, style: MONEY },
  { header: () => 'Currency', width: 12, style: TEXT },
  { header: () => 'trans_id', width: 40, style: WRAPPED },
  { header: () => 'Amount (kobo)', width: 20, style: DIGITS },
  { header: () => 'Balance (kobo)', width: 20, style: DIGITS },
]
const LAST_COLUMN = 'I'
const FIRST_ROW = 2

export interface SheetMaker {
  addWorksheet(name: string, options: object): Worksheet
}

export interface TransactionSheet {
  /** The number of transactions. */
  readonly rows: number
  /** Writes rows without waiting: the caller must wait until the zip entry has room. */
  add(burst: readonly WorkbookRow[]): void
  /** Sets the range of the auto filter and ends the sheet. */
  close(): void
  readonly zipEntry: ZipEntry
}

/** exceljs writes a sheet's XML to this stream and ignores the result of `write`; archiver reads and compresses it. */
export interface ZipEntry extends NodeJS.EventEmitter {
  _writableState: { needDrain: boolean }
}

/** Internals of exceljs's streaming sheet that are not in its types. */
interface StreamedSheet {
  stream?: { pipes?: ZipEntry[]; write?: (xml: string) => void }
  _workbook?: { styles?: { addStyleModel?: (style: Partial<Style>) => number } }
}

/** Opens a sheet and writes its header. */
export function openTransactionSheet(
  writer: SheetMaker,
  { number, currency }: { number: number; currency: string },
): TransactionSheet {
  const worksheet = addWorksheet(writer, { number, currency })
  const { zipEntry, write, styleIds, roundedId } = findInternals(worksheet)
  const renderRow = createRowRenderer({ styleIds, roundedId, currency })
  let rows = 0
  return {
    zipEntry,
    get rows() {
      return rows
    },
    add(burst) {
      let xml = ''
      for (const row of burst) {
        xml += renderRow(FIRST_ROW + rows, row)
        rows += 1
      }
      write(xml)
    },
    close() {
      worksheet.autoFilter = `A1:${LAST_COLUMN}${rows + 1}`
      worksheet.commit()
    },
  }
}

function addWorksheet(writer: SheetMaker, { number, currency }: { number: number; currency: string }): Worksheet {
  const sheet = writer.addWorksheet(number === 1 ? 'Transactions' : `Transactions ${number}`, {
    views: [{ state: 'frozen', ySplit: 1 }],
    pageSetup: { ...PRINTED.pageSetup, orientation: 'landscape', printTitlesRow: '1:1' },
    headerFooter: PRINTED.headerFooter,
  })
  sheet.columns = COLUMNS.map(({ width }) => ({ width }))
  const header = sheet.addRow(COLUMNS.map((column) => column.header(currency)))
  COLUMNS.forEach(({ style: { alignment } }, index) => {
    header.getCell(index + 1).style = alignment ? { ...HEADER, alignment } : HEADER
  })
  header.commit()
  return sheet
}

function findInternals(worksheet: Worksheet) {
  const { stream, _workbook } = worksheet as unknown as StreamedSheet
  const [zipEntry] = stream?.pipes ?? []
  const styles = _workbook?.styles
  // Fail early: without back-pressure a large export would use up the memory, and without styles it would be
  // unreadable.
  if (zipEntry?._writableState === undefined || !stream?.write || !styles?.addStyleModel) {
    throw new Error('this version of exceljs has different internals: no zip stream or no styles found')
  }
  const idOf = (style: Partial<Style>) => styles.addStyleModel?.(style) ?? 0
  const ids = { styleIds: COLUMNS.map(({ style }) => idOf(style)), roundedId: idOf(ROUNDED) }
  return { zipEntry, write: (xml: string) => stream.write?.(xml), ...ids }
}
