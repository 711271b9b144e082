import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import type exceljs from 'exceljs'
import type { Worksheet } from 'exceljs'
import { addSummarySheet, type Summary } from './summary-sheet.ts'
import { createTally, type Tally, tallyRow } from './tally.ts'
import { addTransaction, closeTransactionSheet, openTransactionSheet, type WorkbookRow } from './transaction-sheet.ts'

type WorkbookWriter = exceljs.stream.xlsx.WorkbookWriter
/** The one part of exceljs that is used: all the others, readers of several formats, would be 16 MB of code in memory. */
const StreamingWriter: typeof exceljs.stream.xlsx.WorkbookWriter = createRequire(import.meta.url)(
  'exceljs/lib/stream/xlsx/workbook-writer.js',
)

/** A sheet holds 2^20 rows, and the header is one of them. */
const SHEET_ROWS_MAX = 1_048_575
/** How many rows are turned into XML between two looks at the output: about 60 KB, which is one of exceljs's buffers. */
const BURST_ROWS = 100
/** How many compressed bytes wait for the output before the rows have to: archiver's own default is a megabyte, twice. */
const ZIP_BUFFER_BYTES = 65_536

export interface TransactionWorkbook {
  /** Written so far. */
  readonly rows: number
  /** Resolves when the output can take more, so that memory is a page, however slow the output. */
  addPage(page: readonly WorkbookRow[]): Promise<void>
  /** Of the rows that have been written so far. */
  readonly tally: Tally
  /** Writes the summary, ends the output and resolves once the output has taken it all. */
  finish(summary: Summary): Promise<void>
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
  const writer = new StreamingWriter({
    stream: output,
    useStyles: true,
    useSharedStrings: false, // a table of all texts would have to stay in memory until the end
    zip: { highWaterMark: ZIP_BUFFER_BYTES } as Partial<exceljs.stream.xlsx.ArchiverZipOptions>, // missing from its types
  })
  writer.creator = 'StreamLedger'
  const broken = brokenSignal(output, signal)
  const tally = createTally()
  let sheet = openTransactionSheet(writer, { number: 1, currency })
  let sheets = 1
  let sheetRows = 0
  let rows = 0

  async function addBurst(burst: readonly WorkbookRow[]): Promise<void> {
    for (const row of burst) {
      if (sheetRows === sheetRowsMax) nextSheet()
      addTransaction(sheet, row, currency)
      tallyRow(tally, row)
      sheetRows += 1
      rows += 1
    }
    await drained(sheet, broken)
  }

  function nextSheet(): void {
    closeTransactionSheet(sheet, sheetRows)
    sheets += 1
    sheet = openTransactionSheet(writer, { number: sheets, currency })
    sheetRows = 0
  }

  return {
    tally,
    get rows() {
      return rows
    },
    async addPage(page) {
      for (let from = 0; from < page.length; from += BURST_ROWS) await addBurst(page.slice(from, from + BURST_ROWS))
    },
    async finish(summary) {
      closeTransactionSheet(sheet, sheetRows)
      showFirst(writer, addSummarySheet(writer, summary, tally))
      // exceljs waits for an output that has failed before for ever, so it is not waited for alone.
      await orBroken(writer.commit(), broken)
    },
  }
}

/** The sheet that is written last, as its figures are those of all the others, is the one that is seen first. */
function showFirst(writer: WorkbookWriter, summary: Worksheet): void {
  const held = writer as unknown as { _worksheets?: (Worksheet | undefined)[] }
  if (held._worksheets?.at(-1) !== summary) throw new Error('this exceljs keeps its sheets somewhere else')
  held._worksheets = [summary, ...held._worksheets.filter((sheet) => sheet !== undefined && sheet !== summary)]
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
