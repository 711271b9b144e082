import { createRequire } from 'node:module'
import { isExact, nairaNumber, textCell } from './cells.ts'
import { rowHeightOf } from './row-height.ts'
import type { WorkbookRow } from './transaction-sheet.ts'

const { xmlEncode, dateToExcel } = createRequire(import.meta.url)('exceljs/lib/utils/utils.js') as {
  xmlEncode(text: string): string
  dateToExcel(date: Date): number
}

export type RenderRow = (number: number, row: WorkbookRow) => string

/**
 * Renders a transaction as the XML of a sheet's row, with the same bytes as exceljs but for `xml:space`. It replaces
 * exceljs here because exceljs builds, copies and renders a model for each of the 9 cells, 2 KB of garbage for each, and a
 * file may have a million rows.
 *
 * @param styleIds the workbook's style numbers, by column
 * @param roundedId the style number of a figure that has more digits than a spreadsheet keeps
 */
export function createRowRenderer({
  styleIds,
  roundedId,
  currency,
}: {
  styleIds: readonly number[]
  roundedId: number
  currency: string
}): RenderRow {
  const [time, id, entry, amount, balance, unit, transId, amountKobo, balanceKobo] = styleIds
  const currencyXml = writeValue(textCell(currency))
  return (number, row) => {
    const cell = (column: string, style: number | undefined, value: string) =>
      `<c r="${column}${number}" s="${style}"${value}</c>`
    const naira = (column: string, style: number | undefined, kobo: number) =>
      cell(column, isExact(kobo) ? style : roundedId, writeValue(nairaNumber(kobo)))
    return (
      `<row r="${number}"${heightOf(row.trans_id)} spans="1:9" x14ac:dyDescent="0.25">` +
      cell('A', time, writeValue(dateToExcel(row.created_at))) +
      cell('B', id, writeDigits(row.id)) +
      cell('C', entry, writeValue(row.entry)) +
      naira('D', amount, row.amount) +
      naira('E', balance, row.balance) +
      cell('F', unit, currencyXml) +
      cell('G', transId, writeValue(textCell(row.trans_id))) +
      cell('H', amountKobo, writeDigits(row.amount)) +
      cell('I', balanceKobo, writeDigits(row.balance)) +
      '</row>'
    )
  }
}

/** The rest of a cell's opening tag, and the value. */
function writeValue(value: number | string): string {
  if (typeof value === 'number') return `><v>${value}</v>`
  return ` t="str"><v${isTrimmed(value) ? ' xml:space="preserve"' : ''}>${xmlEncode(value)}</v>`
}

/** A whole number as text, which needs no encoding. */
function writeDigits(value: number): string {
  return ` t="str"><v>${value}</v>`
}

/** Whether a reader may take the first or the last character for space, which XML lets it drop. LibreOffice does. */
function isTrimmed(text: string): boolean {
  return !(isVisible(text.charCodeAt(0)) && isVisible(text.charCodeAt(text.length - 1)))
}

/** Characters beyond ASCII count as space: some are, and programs differ on which. */
function isVisible(code: number): boolean {
  return code > 0x20 && code < 0x7f
}

function heightOf(text: string): string {
  const height = rowHeightOf(text)
  return height === undefined ? '' : ` ht="${height}" customHeight="1"`
}
