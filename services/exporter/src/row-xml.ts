import { createRequire } from 'node:module'
import type { LedgerTransaction } from '@streamledger/db'
import { isExact, nairaNumber, textCell } from './cells.ts'
import { rowHeightOf } from './row-height.ts'

const { xmlEncode, dateToExcel } = createRequire(import.meta.url)('exceljs/lib/utils/utils.js') as {
  xmlEncode(text: string): string
  dateToExcel(date: Date): number
}

export type WorkbookRow = Pick<LedgerTransaction, 'id' | 'created_at' | 'entry' | 'amount' | 'balance' | 'trans_id'>

export type RenderRow = (number: number, row: WorkbookRow) => string

/**
 * Renders a transaction as the XML of a sheet's row, with the same bytes as exceljs but for `xml:space`. It replaces
 * exceljs here because exceljs builds, copies and renders a model for each of the 9 cells, 2 KB of garbage for each, and a
 * file may have a million rows. For the same reason a row is one template: each part of a text that is put together
 * becomes garbage too.
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
  // What follows the row's number in a cell, up to the value.
  const number = (style: number | undefined) => `" s="${style}"><v>`
  const text = (style: number | undefined) => `" s="${style}" t="str"><v`
  const time = number(styleIds[0])
  const id = `${text(styleIds[1])}>`
  const entry = `${text(styleIds[2])}>`
  const amount = number(styleIds[3])
  const balance = number(styleIds[4])
  const rounded = number(roundedId)
  const unit = `${text(styleIds[5])}${textXml(currency)}`
  const transId = text(styleIds[6])
  const amountKobo = `${text(styleIds[7])}>`
  const balanceKobo = `${text(styleIds[8])}>`
  return (rowNumber, row) => {
    const n = String(rowNumber)
    return (
      `<row r="${n}"${heightOf(row.trans_id)} spans="1:9" x14ac:dyDescent="0.25">` +
      `<c r="A${n}${time}${dateToExcel(row.created_at)}</v></c>` +
      `<c r="B${n}${id}${row.id}</v></c>` +
      `<c r="C${n}${entry}${row.entry}</v></c>` +
      `<c r="D${n}${isExact(row.amount) ? amount : rounded}${nairaNumber(row.amount)}</v></c>` +
      `<c r="E${n}${isExact(row.balance) ? balance : rounded}${nairaNumber(row.balance)}</v></c>` +
      `<c r="F${n}${unit}</v></c>` +
      `<c r="G${n}${transId}${textXml(row.trans_id)}</v></c>` +
      `<c r="H${n}${amountKobo}${row.amount}</v></c>` +
      `<c r="I${n}${balanceKobo}${row.balance}</v></c></row>`
    )
  }
}

/** Most ids: text that needs no prefix, no escape and no `xml:space`. */
const PLAIN = /^[A-Za-z0-9](?:[A-Za-z0-9.:/-]|_(?!x))*$/

/** The rest of the opening tag of a text's value, and the text. */
function textXml(text: string): string {
  if (PLAIN.test(text)) return `>${text}`
  const cell = textCell(text)
  return `${isTrimmed(cell) ? ' xml:space="preserve"' : ''}>${xmlEncode(cell)}`
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
