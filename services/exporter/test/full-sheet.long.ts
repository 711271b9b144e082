import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import exceljs from 'exceljs'
import { expect, test } from 'vitest'
import { createTransactionWorkbook } from '../src/workbook.ts'
import { instantOf } from './make-history.ts'
import { makeSummary } from './make-summary.ts'
import { makeExportDir } from './run-exporter.ts'

/** One more than a sheet of Excel holds below its header. */
const ROWS = 2 ** 20
const PAGE_ROWS = 2 ** 12

test('as many rows as fill a sheet and one more make two sheets', async () => {
  const path = join(await makeExportDir(), 'workbook.xlsx')
  const workbook = createTransactionWorkbook(createWriteStream(path), {
    ...{ currency: 'NGN', signal: new AbortController().signal },
  })
  for (let from = 1; from <= ROWS; from += PAGE_ROWS) {
    await workbook.addPage(
      Array.from({ length: PAGE_ROWS }, (_, index) => {
        const id = from + index
        return { id, created_at: instantOf(id), entry: 'credit', amount: 1, balance: id, trans_id: `t${id}` } as const
      }),
    )
  }
  await workbook.finish(makeSummary())

  const sheets: { rows: number; last: unknown }[] = []
  for await (const sheet of new exceljs.stream.xlsx.WorkbookReader(path, {
    sharedStrings: 'ignore',
    styles: 'ignore',
  })) {
    const read = { rows: 0, last: undefined as unknown }
    for await (const row of sheet) {
      read.rows += 1
      read.last = row.getCell(7).value
    }
    sheets.push(read)
  }
  // As they are in the file: the summary is written last.
  expect(sheets.slice(0, 2)).toEqual([
    { rows: 1_048_576, last: 't1048575' },
    { rows: 2, last: 't1048576' },
  ])
  expect(sheets).toHaveLength(3)
}, 300_000)
