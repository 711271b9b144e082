import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import exceljs from 'exceljs'
import { expect, onTestFinished, test } from 'vitest'
import { Disagreement } from '../src/agree.ts'
import { checkWorkbook, readWorkbook } from '../src/demo-workbook.ts'

const POSTED = [
  { transaction_id: 7, entry: 'credit', amount: 500_000, balance: 500_000, trans_id: 'salary' },
  { transaction_id: 8, entry: 'debit', amount: 120_000, balance: 380_000, trans_id: 'order' },
]
const TRANSACTIONS = [
  ['Date', 'Id', 'Entry', 'Amount', 'Balance', 'Currency', 'trans_id', 'Amount (kobo)', 'Balance (kobo)'],
  ['2026-01-01T00:00:00.000Z', '7', 'credit', 5000, 5000, 'NGN', 'salary', '500000', '500000'],
  ['2026-01-01T00:00:01.000Z', '8', 'debit', 1200, 3800, 'NGN', 'order', '120000', '380000'],
]
const SUMMARY = [
  ['Transaction history'],
  ['Opening balance', '', 0, '0'],
  ['Closing balance', '', 3800, '380000'],
  ['Credits', 1, 5000, '500000'],
  ['Debits', 1, 1200, '120000'],
  ['All, credits less debits', 2, 3800, '380000'],
]

/** Writes sheets into a file and reads them back as the demo does. */
async function readBack(sheets: Readonly<Record<string, unknown[][]>>) {
  const folder = mkdtempSync(join(tmpdir(), 'demo-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const workbook = new exceljs.Workbook()
  for (const [name, rows] of Object.entries(sheets)) workbook.addWorksheet(name).addRows(rows)
  await workbook.xlsx.writeFile(join(folder, 'a.xlsx'))
  return readWorkbook(join(folder, 'a.xlsx'))
}

test('the sheets are found by name, wherever they are', async () => {
  for (const names of [
    ['Summary', 'Transactions'],
    ['Transactions', 'Summary'],
  ]) {
    const sheets = Object.fromEntries(names.map((name) => [name, name === 'Summary' ? SUMMARY : TRANSACTIONS]))
    checkWorkbook(await readBack(sheets), POSTED)
  }
  await expect(readBack({ Summary: SUMMARY })).rejects.toThrow('the file has no sheet "Transactions", only: Summary')
})

const changed = (rows: unknown[][], at: number, row: unknown[]) => rows.with(at, row)

test.each([
  ['a row that is missing', SUMMARY, TRANSACTIONS.slice(0, 2), 'the rows are not the transactions, in their order'],
  [
    'rows in another order',
    SUMMARY,
    [0, 2, 1].map((at) => TRANSACTIONS[at] ?? []),
    'the rows are not the transactions',
  ],
  [
    'a count that is wrong',
    changed(SUMMARY, 3, ['Credits', 2, 5000, '500000']),
    TRANSACTIONS,
    'the summary is not the sum',
  ],
  [
    'a balance that is wrong',
    changed(SUMMARY, 2, ['Closing balance', '', 1, '100']),
    TRANSACTIONS,
    'the summary is not the sum',
  ],
  ['a summary without a line', SUMMARY.slice(0, 5), TRANSACTIONS, 'the summary is not the sum'],
])('%s is found, and both values are shown in full', (_, summary, transactions, fault) => {
  try {
    checkWorkbook({ summary, transactions }, POSTED)
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(Disagreement)
    expect((error as Error).message).toContain(fault)
    expect((error as Disagreement).difference).toMatch(/^expected: [\s\S]*\nfound: /)
  }
})
