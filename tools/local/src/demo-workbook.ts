import exceljs from 'exceljs'
import { agree } from './agree.ts'

/** What the API answered to a posting. */
export type Posted = {
  readonly transaction_id: number
  readonly entry: string
  readonly amount: number
  readonly balance: number
  readonly trans_id: string
}

export type Workbook = { readonly summary: readonly unknown[][]; readonly transactions: readonly unknown[][] }

/** The rows of both sheets, found by name, because their order is the exporter's choice. */
export async function readWorkbook(file: string): Promise<Workbook> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(file)
  return { summary: readRows(workbook, 'Summary'), transactions: readRows(workbook, 'Transactions') }
}

function readRows(workbook: exceljs.Workbook, name: string): unknown[][] {
  const sheet = workbook.getWorksheet(name)
  const names = workbook.worksheets.map((each) => each.name).join(', ')
  if (!sheet) throw new Error(`the file has no sheet "${name}", only: ${names}`)
  const rows: unknown[][] = []
  sheet.eachRow((row) => {
    const cells = (row.values as unknown[]).slice(1) // exceljs counts columns from 1
    rows.push(cells.map((cell) => (cell instanceof Date ? cell.toISOString() : cell)))
  })
  return rows
}

/** @throws Disagreement unless both sheets say what was posted, in its order. */
export function checkWorkbook({ summary, transactions }: Workbook, posted: readonly Posted[]): void {
  const rows = transactions.slice(1).map((row) => [1, 2, 3, 4, 6, 7, 8].map((column) => row[column]))
  const wantedRows = posted.map((t) => [
    ...[String(t.transaction_id), t.entry, t.amount / 100, t.balance / 100, t.trans_id],
    ...[String(t.amount), String(t.balance)],
  ])
  agree(rows, wantedRows, 'the rows are not the transactions, in their order')

  const credits = posted.filter(({ entry }) => entry === 'credit')
  const debits = posted.filter(({ entry }) => entry === 'debit')
  const sum = (some: readonly Posted[]) => some.reduce((total, { amount }) => total + amount, 0)
  const figures = (kobo: number) => [kobo / 100, String(kobo)]
  const wanted = [
    ['Closing balance', ...figures(posted.at(-1)?.balance ?? 0)],
    ['Credits', credits.length, ...figures(sum(credits))],
    ['Debits', debits.length, ...figures(sum(debits))],
    ['All, credits less debits', posted.length, ...figures(sum(credits) - sum(debits))],
  ]
  const found = wanted.map(([label]) => summary.find((row) => row[0] === label)?.filter((cell) => cell !== ''))
  agree(found, wanted, 'the summary is not the sum of the transactions')
}
