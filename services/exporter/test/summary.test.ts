import { join } from 'node:path'
import type { Entry } from '@streamledger/db'
import { expect, test } from '@streamledger/testkit'
import fc from 'fast-check'
import { type ChosenTransaction, instantOf, makeChosenHistory } from './make-history.ts'
import { orderExport, waitForExport } from './order-export.ts'
import { readSummary, readWorkbook, type SheetRow } from './read-workbook.ts'
import { makeExportDir, runExporter } from './run-exporter.ts'

/** In kobo: small ones, and some that Excel cannot hold as numbers. */
const amount = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 10_000_000 }) },
  fc.integer({ min: 1, max: 2 ** 49 }),
)
const transactions = fc
  .array(fc.record({ entry: fc.constantFrom<Entry>('credit', 'debit'), amount }), { maxLength: 40, size: 'max' })
  .map(keepPositive)
const instant = fc.option(
  fc
    .record({ sequence: fc.integer({ min: 0, max: 41 }), ms: fc.integer({ min: -1, max: 1 }) })
    .map(({ sequence, ms }) => new Date(instantOf(sequence).getTime() + ms)),
)
const order = fc.record({ entry: fc.option(fc.constantFrom<Entry>('credit', 'debit')), from: instant, to: instant })

/** A debit that the balance does not cover becomes a credit. */
function keepPositive(drawn: readonly { entry: Entry; amount: number }[]): ChosenTransaction[] {
  let balance = 0
  return drawn.map(({ entry, amount: kobo }, index) => {
    const kept = entry === 'debit' && kobo > balance ? 'credit' : entry
    balance += kept === 'credit' ? kobo : -kobo
    return { entry: kept, amount: kobo, trans_id: `order-${index + 1}` }
  })
}

test('a period that begins before Excel has dates is told in words, as exactly', async ({ database: { db, url } }) => {
  const dir = await makeExportDir()
  await runExporter(url, dir)
  const history = await makeChosenHistory(db, [{ trans_id: 'one' }])
  const told = async (from: string) => {
    const id = await orderExport(db, history, { from_at: new Date(from) })
    const { file, rows_done } = await waitForExport(db, id, ({ status }) => status === 'succeeded')
    expect(rows_done).toBe(1)
    return (await readSummary(join(dir, file as string)))['From, included (UTC)']
  }
  expect(await told('0000-01-01T00:00:00.000Z')).toEqual(['0000-01-01 00:00:00.000'])
  expect(await told('0001-01-01T00:00:00.000Z')).toEqual(['0001-01-01 00:00:00.000'])
  expect(await told('1900-02-28T23:59:59.999Z')).toEqual(['1900-02-28 23:59:59.999'])
  expect(await told('1900-03-01T00:00:00.000Z')).toEqual([new Date('1900-03-01T00:00:00.000Z')])
})

test('the summary reconciles with the rows and with the ledger, whatever the history and the filters', async ({
  database: { db, url },
}) => {
  const dir = await makeExportDir()
  await runExporter(url, dir, { EXPORT_PAGE_ROWS: '5' })
  await fc.assert(
    fc.asyncProperty(transactions, order, async (chosen, { entry, from, to }) => {
      const history = await makeChosenHistory(db, chosen)
      const filters = { ...(entry && { entry }), ...(from && { from_at: from }), ...(to && { to_at: to }) }
      const id = await orderExport(db, history, filters)
      const { file } = await waitForExport(db, id, ({ status }) => status === 'succeeded')
      const path = join(dir, file as string)
      const [summary, [sheet]] = [await readSummary(path), await readWorkbook(path)]
      const rows = sheet?.rows ?? []

      const period = periodOf(chosen, { from, to })
      expect(rows.map(({ trans_id }) => trans_id)).toEqual(
        period.inside.filter((row) => entry === null || row.entry === entry).map(({ trans_id }) => trans_id),
      )
      expect(readLine(summary['Opening balance'])).toEqual([undefined, period.opening])
      expect(readLine(summary['Closing balance'])).toEqual([undefined, period.closing])
      const [credits, debits] = [sumOf(rows, 'credit'), sumOf(rows, 'debit')]
      const shown = (name: Entry, sum: bigint): unknown[] =>
        entry === null || entry === name ? [count(rows, name), sum] : Array(3).fill('not included')
      expect(readLine(summary.Credits)).toEqual(shown('credit', credits))
      expect(readLine(summary.Debits)).toEqual(shown('debit', debits))
      expect(readLine(summary['All, credits less debits'])).toEqual([rows.length, credits - debits])
      if (entry === null) expect(period.opening + credits - debits).toBe(period.closing)
    }),
    { numRuns: 60 },
  )
}, 120_000)

/** What the ledger has in the period, by the plain meaning of the filters. */
function periodOf(chosen: readonly ChosenTransaction[], { from, to }: { from: Date | null; to: Date | null }) {
  const dated = chosen.map((row, index) => ({ ...row, at: instantOf(index + 1) }))
  const balanceOf = (rows: readonly ChosenTransaction[]): bigint =>
    rows.reduce((sum, row) => sum + BigInt(row.amount ?? 0) * (row.entry === 'credit' ? 1n : -1n), 0n)
  const beforeEnd = dated.filter(({ at }) => to === null || at < to)
  const beforeStart = beforeEnd.filter(({ at }) => from !== null && at < from)
  return {
    inside: beforeEnd.slice(beforeStart.length),
    opening: balanceOf(beforeStart),
    closing: balanceOf(beforeEnd),
  }
}

const count = (rows: readonly SheetRow[], entry: Entry): number => rows.filter((row) => row.entry === entry).length

function sumOf(rows: readonly SheetRow[], entry: Entry): bigint {
  return rows.filter((row) => row.entry === entry).reduce((sum, row) => sum + BigInt(row.amountKobo as string), 0n)
}

/** The count, and the figure that both columns have. */
const readLine = (values: unknown[] = []): unknown[] => {
  const [rows, naira, kobo] = values
  if (naira === 'not included') return values
  expect(String(koboOf(naira))).toBe(kobo)
  return [rows, koboOf(naira)]
}

/** A figure in naira as a cell has it, in kobo: text where a number would not hold it. */
function koboOf(value: unknown): bigint {
  const text = typeof value === 'number' ? value.toFixed(2) : String(value)
  const [naira = '', decimals = ''] = text.split('.')
  return BigInt(naira + decimals.padEnd(2, '0'))
}
