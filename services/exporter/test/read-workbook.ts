import exceljs from 'exceljs'

export interface SheetRow {
  date: unknown
  id: unknown
  entry: unknown
  amount: unknown
  balance: unknown
  currency: unknown
  trans_id: unknown
}

export interface Sheet {
  name: string
  header: unknown[]
  rows: SheetRow[]
  worksheet: exceljs.Worksheet
}

async function openWorkbook(path: string): Promise<[summary: exceljs.Worksheet, ...sheets: exceljs.Worksheet[]]> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(path)
  const [first, ...others] = workbook.worksheets
  if (first?.name !== 'Summary') throw new Error(`the first sheet is ${first?.name}`)
  return [first, ...others]
}

/** Reads the transactions of a workbook as another program would: sheet by sheet, the values of its cells. */
export async function readWorkbook(path: string): Promise<Sheet[]> {
  const [, ...sheets] = await openWorkbook(path)
  return sheets.map((worksheet) => {
    const [header = [], ...rows] = worksheet.getSheetValues().slice(1) as unknown[][]
    return { name: worksheet.name, header: header.slice(1), rows: rows.map(toRow), worksheet }
  })
}

/** The first sheet: what stands beside each of its words. */
export async function readSummary(path: string): Promise<Record<string, unknown[]>> {
  const [summary] = await openWorkbook(path)
  const lines = summary.getSheetValues().filter(Boolean) as unknown[][]
  return Object.fromEntries(lines.map(([, name, ...values]) => [String(name), values]))
}

function toRow([, date, id, entry, amount, balance, currency, trans_id]: unknown[]): SheetRow {
  return { date, id, entry, amount, balance, currency, trans_id }
}
