import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import type exceljs from 'exceljs'
import type { Worksheet } from 'exceljs'
import type { CpuBudget } from './cpu-budget.ts'
import { addSummarySheet, type Summary } from './summary-sheet.ts'
import { createTally, type Tally, tallyRow } from './tally.ts'
import { openTransactionSheet, type WorkbookRow, type ZipEntry } from './transaction-sheet.ts'

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
  /** Waited for between bursts of rows. */
  rest?: CpuBudget['rest']
  sheetRowsMax?: number
}

/** Writes transactions into `output` as an xlsx file, as they come. */
export function createTransactionWorkbook(output: Writable, options: WorkbookOptions): TransactionWorkbook {
  const { currency, signal, rest, sheetRowsMax = SHEET_ROWS_MAX } = options
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
  let rows = 0

  async function addBurst(burst: readonly WorkbookRow[]): Promise<void> {
    sheet.add(burst)
    for (const row of burst) tallyRow(tally, row)
    rows += burst.length
    await drained(sheet.zipEntry, broken)
    await rest?.(signal)
  }

  function nextSheet(): void {
    sheet.close()
    sheets += 1
    sheet = openTransactionSheet(writer, { number: sheets, currency })
  }

  return {
    tally,
    get rows() {
      return rows
    },
    async addPage(page) {
      for (let from = 0; from < page.length; ) {
        if (sheet.rows === sheetRowsMax) nextSheet()
        const burst = page.slice(from, from + Math.min(BURST_ROWS, sheetRowsMax - sheet.rows))
        await addBurst(burst)
        from += burst.length
      }
    },
    async finish(summary) {
      sheet.close()
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

/** Resolves when the zip has room for more of this sheet: at once, or once everything behind it has caught up. */
async function drained(entry: ZipEntry, broken: AbortSignal): Promise<void> {
  broken.throwIfAborted()
  while (entry._writableState.needDrain) {
    await once(entry, 'drain', { signal: broken }).catch((error) => {
      throw broken.aborted ? broken.reason : error
    })
  }
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
