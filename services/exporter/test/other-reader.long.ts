import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTransactionWorkbook } from '../src/workbook.ts'
import { instantOf } from './make-history.ts'
import { makeSummary } from './make-summary.ts'
import { canReadWithPython, type ReadCell, readWithPython } from './openpyxl.ts'
import { makeExportDir } from './run-exporter.ts'

const PREFIXES = ["'", '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠']
const LARGEST = Number.MAX_SAFE_INTEGER

/** Three of each prefix, so that they go over two sheets. */
const ROWS = [...PREFIXES, ...PREFIXES, ...PREFIXES].map((prefix, index) => ({
  ...{ id: index === 0 ? LARGEST : index, created_at: instantOf(index + 1) },
  entry: index % 3 === 0 ? ('debit' as const) : ('credit' as const),
  ...{ amount: index === 1 ? LARGEST : 150_05 + index, balance: index === 2 ? LARGEST : index },
  trans_id: `${prefix}HYPERLINK("http://example.com")`,
}))

async function writeWorkbook(): Promise<string> {
  const path = join(await makeExportDir(), 'workbook.xlsx')
  const workbook = createTransactionWorkbook(createWriteStream(path), {
    ...{ currency: 'NGN', signal: new AbortController().signal, sheetRowsMax: 20 },
  })
  await workbook.addPage(ROWS)
  await workbook.finish(makeSummary({ holder: '=Ada Obi', openingBalance: 100, closingBalance: LARGEST }))
  return path
}

test('openpyxl, which shares no line with the writer, reads the workbook as it is meant', async () => {
  if (!canReadWithPython()) {
    if (process.env.CI) throw new Error('CI reads the workbooks with openpyxl, and has no Python 3 with venv')
    console.warn('NOT TESTED: what openpyxl makes of a workbook, for there is no Python 3 with venv here.')
    expect(process.env.CI).toBeUndefined()
    return
  }
  const sheets = readWithPython(await writeWorkbook())
  expect(sheets.map(({ title, isActive }) => [title, isActive])).toEqual([
    ['Transactions', true],
    ['Transactions 2', false],
    ['Summary', false],
  ])
  const summary = sheets.pop()

  for (const [index, { frozen, filter, printedTitle, widths, cells }] of sheets.entries()) {
    const rows = index === 0 ? 20 : ROWS.length - 20
    expect({ frozen, filter, printedTitle }).toEqual({ frozen: 'A2', filter: `A1:I${rows + 1}`, printedTitle: '$1:$1' })
    expect(Object.values(widths).every((width) => width >= 10)).toBe(true)
    expect(cells[0]?.map((cell) => cell?.value)).toEqual([
      ...['Date (UTC)', 'Transaction ID', 'Entry', 'Amount (NGN)', 'Balance (NGN)', 'Currency', 'trans_id'],
      ...['Amount (kobo)', 'Balance (kobo)'],
    ])
    expect(cells).toHaveLength(rows + 1)
  }
  const read = sheets.flatMap(({ cells }) => cells.slice(1))
  expect(read.flat().filter((cell) => cell?.type === 'f')).toEqual([])
  expect(read.map((row) => row.map((cell) => [cell?.type, cell?.value]))).toEqual(ROWS.map(toRead))
  expect(read[3]?.map((cell) => cell?.format)).toEqual([
    ...['yyyy-mm-dd hh:mm:ss.000', '@', '@', '#,##0.00', '#,##0.00', '@', '@', '@', '@'],
  ])
  // A figure that is rounded says so.
  expect([read[1]?.[3]?.format, read[2]?.[4]?.format]).toEqual(Array(2).fill('"≈ "#,##0.00'))
  expect(summary?.cells.filter((row) => row.every((cell) => cell === null))).toEqual([])
  const about = Object.fromEntries(summary?.cells.map(([name, ...others]) => [name?.value, others.map(toValue)]) ?? [])
  expect(about).toMatchObject({
    'A sum of the column Amount (NGN) may not be exact to the kobo.': Array(3).fill(undefined),
    'Account holder': ["'=Ada Obi", undefined, undefined],
    'Opening balance': [undefined, 1, '100'],
    'Closing balance': [undefined, '90071992547409.91', String(LARGEST)],
    // 26 credits, one of them the largest figure that there is.
    Credits: [26, '90071992551166.22', '9007199255116622'],
    Debits: [13, 1_952.99, '195299'],
    'All, credits less debits': [39, '90071992549213.23', '9007199254921323'],
  })
})

const toValue = (cell: ReadCell | null | undefined) => cell?.value

function toRead({ created_at, id, entry, amount, balance, trans_id }: (typeof ROWS)[number]) {
  return [
    ['d', created_at.toISOString().replace(/(\.\d{3})Z$/, '$1000')],
    ['s', String(id)],
    ['s', entry],
    ['n', amount / 100],
    ['n', balance / 100],
    ['s', 'NGN'],
    // What no XML can hold is written in Office's own escape, which openpyxl leaves as it is.
    [
      's',
      `'${trans_id.replace(/^[\t\r\n\0]/, (c) => `_x${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`)}`,
    ],
    ['s', String(amount)],
    ['s', String(balance)],
  ]
}
