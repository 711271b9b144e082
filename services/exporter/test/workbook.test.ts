import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { expect, test, waitFor } from '@streamledger/testkit'
import type { WorkbookRow } from '../src/row-xml.ts'
import { createTransactionWorkbook, type TransactionWorkbook } from '../src/workbook.ts'
import { instantOf } from './make-history.ts'
import { makeSummary } from './make-summary.ts'
import { readWorkbook } from './read-workbook.ts'
import { makeExportDir } from './run-exporter.ts'

const PAGE_ROWS = 1_000

function makePage(from: number, rows = PAGE_ROWS): WorkbookRow[] {
  return Array.from({ length: rows }, (_, index) => {
    const n = from + index
    return {
      ...{ id: n, created_at: instantOf(n), entry: 'credit' as const, amount: n, balance: n * 7 },
      trans_id: `order-${(n * 2_654_435_761) % 4_294_967_296}`,
    }
  })
}

/** An output that takes chunks only while it is open. */
function makeValve() {
  let isOpen = false
  let waiting: (() => void) | undefined
  const output = new Writable({
    highWaterMark: 16_384,
    write(_chunk, _encoding, callback) {
      if (isOpen) callback()
      else waiting = callback
    },
  })
  return {
    output,
    isHolding: () => waiting !== undefined,
    open() {
      isOpen = true
      waiting?.()
      waiting = undefined
    },
    shut() {
      isOpen = false
    },
  }
}

function createWorkbook(output: Writable, options: { signal?: AbortSignal; sheetRowsMax?: number } = {}) {
  return createTransactionWorkbook(output, { currency: 'NGN', signal: new AbortController().signal, ...options })
}

test('a sheet that is full is followed by another, each with a frozen, filterable header', async () => {
  const path = join(await makeExportDir(), 'workbook.xlsx')
  const workbook = createWorkbook(createWriteStream(path), { sheetRowsMax: 1_500 })

  await workbook.addPage(makePage(1))
  await workbook.addPage(makePage(1_001))
  await workbook.addPage(makePage(2_001))
  await workbook.finish(makeSummary())

  const sheets = await readWorkbook(path)
  expect(sheets.map(({ name, rows }) => [name, rows.length])).toEqual([
    ['Transactions', 1_500],
    ['Transactions 2', 1_500],
  ])
  expect(sheets.flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual(makePage(1, 3_000).map(({ id }) => String(id)))
  for (const { worksheet, header } of sheets) {
    expect(header).toHaveLength(9)
    expect(worksheet.views).toEqual([expect.objectContaining({ state: 'frozen', ySplit: 1 })])
    expect(worksheet.autoFilter).toBe('A1:I1501')
    expect(worksheet.getRow(1).getCell(1).font?.bold).toBe(true)
    expect(worksheet.getRow(2).values).toHaveLength(10)
    expect([1, 4, 7].map((column) => worksheet.getRow(2).getCell(column).numFmt)).toEqual([
      ...['yyyy-mm-dd hh:mm:ss.000', '#,##0.00', '@'],
    ])
  }
})

test('a row is as high as its text is long', async () => {
  const path = join(await makeExportDir(), 'workbook.xlsx')
  const workbook = createWorkbook(createWriteStream(path))
  const [row] = makePage(1, 1) as [WorkbookRow]

  await workbook.addPage([row, { ...row, trans_id: 'long '.repeat(51) }, row])
  await workbook.finish(makeSummary())

  const [sheet] = await readWorkbook(path)
  expect([2, 3, 4].map((number) => sheet?.worksheet.getRow(number).height)).toEqual([undefined, 105, undefined])
})

test('a sheet that is exactly full is not followed by an empty one', async () => {
  const path = join(await makeExportDir(), 'workbook.xlsx')
  const workbook = createWorkbook(createWriteStream(path), { sheetRowsMax: 1_000 })

  await workbook.addPage(makePage(1))
  await workbook.finish(makeSummary())

  expect((await readWorkbook(path)).map(({ name }) => name)).toEqual(['Transactions'])
})

test('an output that stands still holds the rows back, however many have been written before', async () => {
  const valve = makeValve()
  const workbook = createWorkbook(valve.output)
  const writing = writePages(workbook, 200)

  for (const rows of [0, 60_000, 120_000, 180_000]) {
    await waitFor(() => workbook.rows >= rows)
    valve.shut()
    const rowsBefore = workbook.rows
    await waitFor(valve.isHolding)
    // What fits between the rows and the output: some buffers of 64 KB, of XML and of compressed XML, which is a tenth of it.
    expect((await settled(() => workbook.rows)) - rowsBefore).toBeLessThan(10 * PAGE_ROWS)
    valve.open()
  }

  await writing
  await workbook.finish(makeSummary())
  expect(workbook.rows).toBe(200 * PAGE_ROWS)
})

async function writePages(workbook: TransactionWorkbook, pages: number): Promise<void> {
  for (let page = 0; page < pages; page += 1) await workbook.addPage(makePage(page * PAGE_ROWS + 1))
}

/** The value once it has stopped changing. */
async function settled(read: () => number): Promise<number> {
  let last = -1
  await waitFor(
    () => {
      const unchanged = read() === last
      last = read()
      return unchanged
    },
    { intervalMs: 250 },
  )
  return last
}

test('an output that fails ends the writing with its error, whether rows or the end are being written', async () => {
  const valve = makeValve()
  const workbook = createWorkbook(valve.output)
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })
  const writing = writePages(workbook, 200)
  await waitFor(valve.isHolding)
  await settled(() => workbook.rows)

  valve.output.destroy(full)

  await expect(writing).rejects.toBe(full)
  await expect(workbook.addPage(makePage(1))).rejects.toBe(full)
  await expect(workbook.finish(makeSummary())).rejects.toBe(full)
})

test('an output that fails while the end is written ends the finishing', async () => {
  const valve = makeValve()
  const workbook = createWorkbook(valve.output)
  await workbook.addPage(makePage(1, 10))
  const finishing = workbook.finish(makeSummary())
  await waitFor(valve.isHolding)

  valve.output.destroy(new Error('the disk is gone'))

  await expect(finishing).rejects.toThrow('the disk is gone')
  await finished(valve.output).catch(() => undefined)
})

test('an output that is closed before its end ends the writing, though it names no error', async () => {
  const valve = makeValve()
  const workbook = createWorkbook(valve.output)
  const writing = writePages(workbook, 200)
  await waitFor(valve.isHolding)
  await settled(() => workbook.rows)

  valve.output.destroy()

  await expect(writing).rejects.toThrow('closed before the workbook was finished')
})

test('an abort ends the writing, even while it waits for the output', async () => {
  const abort = new AbortController()
  const workbook = createWorkbook(makeValve().output, { signal: abort.signal })
  const reason = new Error('draining')
  const writing = writePages(workbook, 200)
  await settled(() => workbook.rows)

  abort.abort(reason)

  await expect(writing).rejects.toBe(reason)
})
