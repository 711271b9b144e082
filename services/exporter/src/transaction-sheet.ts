import type { LedgerTransaction } from '@streamledger/db'
import type { Style, Worksheet } from 'exceljs'
import { createRowRenderer } from './row-xml.ts'
import { HEADER, ID, MONEY, PRINTED, TEXT, TIME, WRAPPED } from './sheet-styles.ts'

export type WorkbookRow = Pick<LedgerTransaction, 'id' | 'created_at' | 'entry' | 'amount' | 'balance' | 'trans_id'>

/** exceljs knows a style again by its object. */
const COLUMNS: readonly { header: (currency: string) => string; width: number; style: Partial<Style> }[] = [
  { header: () => 'Date (UTC)', width: 25, style: TIME },
  { header: () => 'Transaction ID', width: 19, style: ID },
  { header: () => 'Entry', width: 10, style: TEXT },
  { header: (currency) => `Amount (${currency})`, width: 23, style: MONEY },
  { header: (currency) => `Balance (${currency})`, width: 23, style: MONEY },
  { header: () => 'Currency', width: 12, style: TEXT },
  { header: () => 'trans_id', width: 40, style: WRAPPED },
]
const LAST_COLUMN = 'G'
const FIRST_ROW = 2

export interface SheetMaker {
  addWorksheet(name: string, options: object): Worksheet
}

export interface TransactionSheet {
  /** How many transactions it has. */
  readonly rows: number
  /** Hands rows to the stream, which takes them all at once: the caller waits for its zip to have room. */
  add(burst: readonly WorkbookRow[]): void
  /** Ends the sheet; the last thing it is told is what its filter covers. */
  close(): void
  readonly zipEntry: ZipEntry
}

/** exceljs hands a sheet's XML to this stream, which archiver reads, compresses and hands on; it looks at no `write`'s answer. */
export interface ZipEntry extends NodeJS.EventEmitter {
  _writableState: { needDrain: boolean }
}

/** What exceljs's streaming sheet has and does not name in its types. */
interface StreamedSheet {
  stream?: { pipes?: ZipEntry[]; write?: (xml: string) => void }
  _workbook?: { styles?: { addStyleModel?: (style: Partial<Style>) => number } }
}

/** A sheet with its header and no transaction yet. */
export function openTransactionSheet(
  writer: SheetMaker,
  { number, currency }: { number: number; currency: string },
): TransactionSheet {
  const worksheet = addWorksheet(writer, { number, currency })
  const { zipEntry, write, styleIds } = findInternals(worksheet)
  const renderRow = createRowRenderer({ styleIds, currency })
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
  // Without back-pressure a large export would end the process, and without styles it would be unreadable: better none.
  if (zipEntry?._writableState === undefined || !stream?.write || !styles?.addStyleModel) {
    throw new Error('this exceljs keeps its zip stream or its styles somewhere else')
  }
  const styleIds = COLUMNS.map(({ style }) => styles.addStyleModel?.(style) ?? 0)
  return { zipEntry, write: (xml: string) => stream.write?.(xml), styleIds }
}
