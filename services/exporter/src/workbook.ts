import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { LedgerTransaction } from '@streamledger/db'
import exceljs, { type Style, type Worksheet } from 'exceljs'
import { integerCell, nairaCell, textCell } from './cells.ts'

/** A sheet holds 2^20 rows, and the header is one of them. */
const SHEET_ROWS_MAX = 1_048_575
/** How many rows are turned into XML between two looks at the output: about 60 KB, which is one of exceljs's buffers. */
const BURST_ROWS = 100
/** How many compressed bytes wait for the output before the rows have to: archiver's own default is a megabyte, twice. */
const ZIP_BUFFER_BYTES = 65_536

export type WorkbookRow = Pick<LedgerTransaction, 'id' | 'created_at' | 'entry' | 'amount' | 'balance' | 'trans_id'>

export interface TransactionWorkbook {
  /** Written so far. */
  readonly rows: number
  /** Resolves when the output can take more, so that memory is a page, however slow the output. */
  addPage(page: readonly WorkbookRow[]): Promise<void>
  /** Writes what is left of the file, ends the output and resolves once the output has taken it all. */
  finish(): Promise<void>
}

export interface WorkbookOptions {
  currency: string
  /** Ends whatever waits for the output. */
  signal: AbortSignal
  sheetRowsMax?: number
}

/** Writes transactions into `output` as an xlsx file, as they come. */
export function createTransactionWorkbook(output: Writable, options: WorkbookOptions): TransactionWorkbook {
  const { currency, signal, sheetRowsMax = SHEET_ROWS_MAX } = options
  const writer = new exceljs.stream.xlsx.WorkbookWriter({
    stream: output,
    useStyles: true,
    useSharedStrings: false, // a table of all texts would have to stay in memory until the end
    zip: { highWaterMark: ZIP_BUFFER_BYTES } as Partial<exceljs.stream.xlsx.ArchiverZipOptions>, // missing from its types
  })
  writer.creator = 'StreamLedger'
  const broken = brokenSignal(output, signal)
  let sheet = addSheet(writer, 1)
  let sheets = 1
  let sheetRows = 0
  let rows = 0

  async function addBurst(burst: readonly WorkbookRow[]): Promise<void> {
    for (const row of burst) {
      if (sheetRows === sheetRowsMax) nextSheet()
      addRow(sheet, row, currency)
      sheetRows += 1
      rows += 1
    }
    await drained(sheet, broken)
  }

  function nextSheet(): void {
    closeSheet(sheet, sheetRows)
    sheets += 1
    sheet = addSheet(writer, sheets)
    sheetRows = 0
  }

  return {
    get rows() {
      return rows
    },
    async addPage(page) {
      for (let from = 0; from < page.length; from += BURST_ROWS) await addBurst(page.slice(from, from + BURST_ROWS))
    },
    async finish() {
      closeSheet(sheet, sheetRows)
      // exceljs waits for an output that has failed before for ever, so it is not waited for alone.
      await orBroken(writer.commit(), broken)
    },
  }
}

/** Aborted with the caller's reason, or with the output's error. */
function brokenSignal(output: Writable, signal: AbortSignal): AbortSignal {
  const failed = new AbortController()
  output.once('error', (error) => failed.abort(error))
  output.once('close', () => {
    if (!output.writableFinished) failed.abort(new Error('the output was closed before the workbook was finished'))
  })
  return AbortSignal.any([signal, failed.signal])
}

/** exceljs hands a sheet's XML to this stream, which archiver reads, compresses and hands on; it looks at no `write`'s answer. */
interface ZipEntry extends NodeJS.EventEmitter {
  _writableState: { needDrain: boolean }
}

/** Resolves when the zip has room for more of this sheet: at once, or once everything behind it has caught up. */
async function drained(sheet: Worksheet, broken: AbortSignal): Promise<void> {
  broken.throwIfAborted()
  const entry = zipEntryOf(sheet)
  while (entry._writableState.needDrain) {
    await once(entry, 'drain', { signal: broken }).catch((error) => {
      throw broken.aborted ? broken.reason : error
    })
  }
}

function zipEntryOf(sheet: Worksheet): ZipEntry {
  const entry = (sheet as unknown as { stream?: { pipes?: ZipEntry[] } }).stream?.pipes?.[0]
  // Without it there is no back-pressure, and a large export would end the process: better none of them.
  if (entry?._writableState === undefined) throw new Error('this exceljs keeps its zip stream somewhere else')
  return entry
}

async function orBroken(work: Promise<void>, broken: AbortSignal): Promise<void> {
  broken.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(broken.reason)
  broken.addEventListener('abort', onAbort)
  try {
    await Promise.race([work, promise])
  } finally {
    broken.removeEventListener('abort', onAbort)
  }
}

const TEXT: Partial<Style> = { numFmt: '@' }
const MONEY: Partial<Style> = { numFmt: '#,##0.00', alignment: { horizontal: 'right' } }

/** Style objects are shared by all cells of a column: exceljs looks each object up once and remembers it. */
const COLUMNS: readonly { header: string; width: number; style: Partial<Style> }[] = [
  { header: 'Date (UTC)', width: 24, style: { numFmt: 'yyyy-mm-dd hh:mm:ss.000' } },
  { header: 'Transaction ID', width: 17, style: { numFmt: '0' } },
  { header: 'Entry', width: 9, style: TEXT },
  { header: 'Amount', width: 20, style: MONEY },
  { header: 'Balance', width: 20, style: MONEY },
  { header: 'Currency', width: 11, style: TEXT },
  { header: 'trans_id', width: 40, style: TEXT },
]
const LAST_COLUMN = 'G'
const HEADER: Partial<Style> = {
  font: { bold: true },
  fill: { type: 'pattern', pattern: 'solid', fgColor: { argb: 'FFE8EEF4' } },
  border: { bottom: { style: 'thin' } },
}

function addSheet(writer: exceljs.stream.xlsx.WorkbookWriter, number: number): Worksheet {
  const sheet = writer.addWorksheet(number === 1 ? 'Transactions' : `Transactions ${number}`, {
    views: [{ state: 'frozen', ySplit: 1 }],
    pageSetup: { orientation: 'landscape', fitToWidth: 1, fitToHeight: 0 },
  })
  sheet.columns = COLUMNS.map(({ width }) => ({ width }))
  const header = sheet.addRow(COLUMNS.map((column) => column.header))
  COLUMNS.forEach(({ style }, index) => {
    header.getCell(index + 1).style = style.alignment ? { ...HEADER, alignment: style.alignment } : HEADER
  })
  header.commit()
  return sheet
}

function addRow(sheet: Worksheet, row: WorkbookRow, currency: string): void {
  const added = sheet.addRow([
    row.created_at,
    integerCell(row.id),
    row.entry,
    nairaCell(row.amount),
    nairaCell(row.balance),
    currency,
    textCell(row.trans_id),
  ])
  COLUMNS.forEach(({ style }, index) => {
    added.getCell(index + 1).style = style
  })
  added.commit()
}

function closeSheet(sheet: Worksheet, rows: number): void {
  sheet.autoFilter = `A1:${LAST_COLUMN}${rows + 1}`
  sheet.commit()
}
