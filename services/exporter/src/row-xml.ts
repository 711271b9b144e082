import { createRequire } from 'node:module'
import { integerCell, nairaCell, textCell } from './cells.ts'
import { rowHeightOf } from './row-height.ts'
import type { WorkbookRow } from './transaction-sheet.ts'

const { xmlEncode, dateToExcel } = createRequire(import.meta.url)('exceljs/lib/utils/utils.js') as {
  xmlEncode(text: string): string
  dateToExcel(date: Date): number
}

export type RenderRow = (number: number, row: WorkbookRow) => string

/**
 * Renders a transaction as the XML of a sheet's row, with the same bytes as exceljs. It replaces exceljs here because
 * exceljs builds, copies and renders a model for each of the 7 cells, 14 KB of garbage per row, and a file may have a
 * million rows.
 *
 * @param styleIds the workbook's style numbers, by column
 */
export function createRowRenderer({
  styleIds,
  currency,
}: {
  styleIds: readonly number[]
  currency: string
}): RenderRow {
  const [time, id, entry, amount, balance, unit, transId] = styleIds
  const currencyXml = writeValue(textCell(currency))
  return (number, row) => {
    const cell = (column: string, style: number | undefined, value: string) =>
      `<c r="${column}${number}" s="${style}"${value}</c>`
    return (
      `<row r="${number}"${heightOf(row.trans_id)} spans="1:7" x14ac:dyDescent="0.25">` +
      cell('A', time, writeValue(dateToExcel(row.created_at))) +
      cell('B', id, writeValue(integerCell(row.id))) +
      cell('C', entry, writeValue(row.entry)) +
      cell('D', amount, writeValue(nairaCell(row.amount))) +
      cell('E', balance, writeValue(nairaCell(row.balance))) +
      cell('F', unit, currencyXml) +
      cell('G', transId, writeValue(textCell(row.trans_id))) +
      '</row>'
    )
  }
}

/** The rest of a cell's opening tag, and the value. */
function writeValue(value: number | string): string {
  return typeof value === 'number' ? `><v>${value}</v>` : ` t="str"><v>${xmlEncode(value)}</v>`
}

function heightOf(text: string): string {
  const height = rowHeightOf(text)
  return height === undefined ? '' : ` ht="${height}" customHeight="1"`
}
