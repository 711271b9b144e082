import exceljs from 'exceljs'

export interface SheetRow {
  date: unknown
  id: unknown
  entry: unknown
  amount: unknown
  balance: unknown
  currency: unknown
  trans_id: unknown
  amountKobo: unknown
  balanceKobo: unknown
}

export interface Sheet {
  name: string
  header: unknown[]
  rows: SheetRow[]
  worksheet: exceljs.Worksheet
}

async function openWorkbook(path: string): Promise<[sheets: exceljs.Worksheet[], summary: exceljs.Worksheet]> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(path)
  const sheets = [...workbook.worksheets]
  const last = sheets.pop()
  if (last?.name !== 'Summary') throw new Error(`the last sheet is ${last?.name}`)
  return [sheets, last]
}

/** Reads the transactions of a workbook as another program would: sheet by sheet, the values of its cells. */
export async function readWorkbook(path: string): Promise<Sheet[]> {
  const [sheets] = await openWorkbook(path)
  return sheets.map((worksheet) => {
    const [header = [], ...rows] = worksheet.getSheetValues().slice(1) as unknown[][]
    return { name: worksheet.name, header: header.slice(1), rows: rows.map(toRow), worksheet }
  })
}

/** The last sheet: what stands beside each of its words. */
export async function readSummary(path: string): Promise<Record<string, unknown[]>> {
  const [, summary] = await openWorkbook(path)
  const lines = summary.getSheetValues().filter(Boolean) as unknown[][]
  return Object.fromEntries(lines.map(([, name, ...values]) => [String(name), values]))
}

function toRow([, date, id, entry, amount, balance, currency, trans_id, amountKobo, balanceKobo]: unknown[]): SheetRow {
  return { date, id, entry, amount, balance, currency, trans_id, amountKobo, balanceKobo }
}
