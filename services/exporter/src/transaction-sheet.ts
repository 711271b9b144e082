import type { LedgerTransaction } from '@streamledger/db'
import type { Style, Worksheet } from 'exceljs'
import { integerCell, nairaCell, textCell } from './cells.ts'
import { rowHeightOf } from './row-height.ts'
import { HEADER, ID, MONEY, PRINTED, TEXT, TIME, WRAPPED } from './sheet-styles.ts'

export type WorkbookRow = Pick<LedgerTransaction, 'id' | 'created_at' | 'entry' | 'amount' | 'balance' | 'trans_id'>

/** Style objects are shared by all cells of a column: exceljs looks each object up once and remembers it. */
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

export interface SheetMaker {
  addWorksheet(name: string, options: object): Worksheet
}

/** A sheet with its header and no row yet. */
export function openTransactionSheet(writer: SheetMaker, { number, currency }: { number: number; currency: string }) {
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

export function addTransaction(sheet: Worksheet, row: WorkbookRow, currency: string): void {
  const added = sheet.addRow([
    row.created_at,
    integerCell(row.id),
    row.entry,
    nairaCell(row.amount),
    nairaCell(row.balance),
    currency,
    textCell(row.trans_id),
  ])
  COLUMNS.forEach(({ style }, index) => {
    added.getCell(index + 1).style = style
  })
  const height = rowHeightOf(row.trans_id)
  if (height !== undefined) added.height = height
  added.commit()
}

/** Ends a sheet of so many transactions; the last thing it is told is what its filter covers. */
export function closeTransactionSheet(sheet: Worksheet, rows: number): void {
  sheet.autoFilter = `A1:${LAST_COLUMN}${rows + 1}`
  sheet.commit()
}
