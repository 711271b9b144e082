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

/** Reads a whole workbook as another program would: sheet by sheet, the values of its cells. */
export async function readWorkbook(path: string): Promise<Sheet[]> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(path)
  return workbook.worksheets.map((worksheet) => {
    const [header = [], ...rows] = worksheet.getSheetValues().slice(1) as unknown[][]
    return { name: worksheet.name, header: header.slice(1), rows: rows.map(toRow), worksheet }
  })
}

function toRow([, date, id, entry, amount, balance, currency, trans_id]: unknown[]): SheetRow {
  return { date, id, entry, amount, balance, currency, trans_id }
}
