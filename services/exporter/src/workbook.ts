import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import type exceljs from 'exceljs'
import type { CpuBudget } from './cpu-budget.ts'
import type { WorkbookRow } from './row-xml.ts'
import { addSummarySheet, type Summary } from './summary-sheet.ts'
import { createTally, type Tally, tallyRow } from './tally.ts'
import { openTransactionSheet, type ZipEntry } from './transaction-sheet.ts'

/** Only this part of exceljs is loaded: the rest, such as readers of several formats, would take 16 MB of memory. */
const StreamingWriter: typeof exceljs.stream.xlsx.WorkbookWriter = createRequire(import.meta.url)(
  'exceljs/lib/stream/xlsx/workbook-writer.js',
)

/** A sheet has at most 2^20 rows, including the header. */
const SHEET_ROWS_MAX = 1_048_575
/** Rows that are written before the output is checked for room: about 60 KB of XML, one buffer of exceljs. */
const BURST_ROWS = 100
/** Compressed bytes that may wait for the output; archiver's default is one megabyte in each of two buffers. */
const ZIP_BUFFER_BYTES = 65_536

export interface TransactionWorkbook {
  /** Rows written so far. */
  readonly rows: number
  /** Resolves when the output has room for more. So memory stays at one page, even with a slow output. */
  addPage(page: readonly WorkbookRow[]): Promise<void>
  /** The tally of the rows written so far. */
  readonly tally: Tally
  /** Writes the summary and ends the output; resolves once the output has received all data. */
  finish(summary: Summary): Promise<void>
}

export interface WorkbookOptions {
  currency: string
  /** Aborts all waiting for the output. */
  signal: AbortSignal
  /** Called between bursts of rows. */
  rest?: CpuBudget['rest']
  sheetRowsMax?: number
}

/** Streams transactions into `output` as an xlsx file. */
export function createTransactionWorkbook(output: Writable, options: WorkbookOptions): TransactionWorkbook {
  const { currency, signal, rest, sheetRowsMax = SHEET_ROWS_MAX } = options
  const writer = new StreamingWriter({
    stream: output,
    useStyles: true,
    // Only for the headers and the summary, which exceljs writes: the table stays in memory until the end. DuckDB takes
    // the first row for a header only if its texts are in the table.
    useSharedStrings: true,
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
      addSummarySheet(writer, summary, tally)
      // exceljs waits forever for an output that has already failed, so this also waits for `broken`.
      await orBroken(writer.commit(), broken)
    },
  }
}

/** Aborts with the caller's reason or with the output's error. */
function brokenSignal(output: Writable, signal: AbortSignal): AbortSignal {
  const failed = new AbortController()
  output.once('error', (error) => failed.abort(error))
  output.once('close', () => {
    if (!output.writableFinished) failed.abort(new Error('the output was closed before the workbook was finished'))
  })
  return AbortSignal.any([signal, failed.signal])
}

/** Resolves when the zip entry of this sheet has room. */
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
