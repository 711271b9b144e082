import type { Entry } from '@streamledger/db'
import type { CellValue, Style } from 'exceljs'
import { exactNaira, textCell } from './cells.ts'
import { BOLD, COUNT, DIGITS, HEADER, MONEY, PRINTED, TEXT, TIME, TITLE } from './sheet-styles.ts'
import { changeOf, countTallied, type EntryTally, sumsAreExact, type Tally } from './tally.ts'
import type { SheetMaker } from './transaction-sheet.ts'

/** The content of the last sheet. */
export interface Summary {
  holder: string
  walletId: number
  currency: string
  /** The period: `from` is included, `to` is not. */
  from: Date | null
  to: Date | null
  entry: Entry | null
  orderedAt: Date
  generatedAt: Date
  /** Balances of the period in kobo, ignoring the entry filter. */
  openingBalance: number
  closingBalance: number
}

type StyledValue = readonly [value: CellValue, style: Partial<Style>]

const ENTRIES: Record<Entry, string> = { credit: 'Credits', debit: 'Debits' }
const NOT_INCLUDED: StyledValue = ['not included', { alignment: { horizontal: 'right' } }]
const LINE_HEIGHT_PT = 15

/** Writes the summary sheet. The tally must cover all rows of the other sheets. No row is empty: a reader may stop there. */
export function addSummarySheet(writer: SheetMaker, summary: Summary, tally: Tally): void {
  const sheet = writer.addWorksheet('Summary', {
    pageSetup: { ...PRINTED.pageSetup, orientation: 'portrait' },
    headerFooter: PRINTED.headerFooter,
  })
  sheet.columns = [{ width: 30 }, { width: 26 }, { width: 26 }, { width: 22 }]
  for (const line of [...aboutLines(summary, tally), ...sumLines(summary, tally)]) {
    const row = sheet.addRow(line.map(([value]) => value))
    line.forEach(([, style], index) => {
      row.getCell(index + 1).style = style
    })
    if (line[0]?.[1] === HEADER) row.height = 2 * LINE_HEIGHT_PT
    row.commit()
  }
  sheet.commit()
}

function aboutLines(summary: Summary, tally: Tally): StyledValue[][] {
  const { currency, from, to, entry } = summary
  const line = (name: string, ...value: StyledValue): StyledValue[] => [[name, BOLD], value]
  return [
    [['Transaction history', TITLE]],
    ...(sumsAreExact(tally) ? [] : inexactLines(summary)),
    line('Account holder', textCell(summary.holder), TEXT),
    line('Wallet', String(summary.walletId), TEXT),
    line('Currency', currency, TEXT),
    line('From, included (UTC)', ...(from ? time(from) : (['the first transaction', TEXT] as const))),
    line('To, not included (UTC)', ...(to ? time(to) : (['the moment of the order', TEXT] as const))),
    line('Entries', entry ? `${ENTRIES[entry].toLowerCase()} only` : 'all', TEXT),
    line('Ordered at (UTC)', ...time(summary.orderedAt)),
    line('Generated at (UTC)', ...time(summary.generatedAt)),
  ]
}

function inexactLines({ currency }: Summary): StyledValue[][] {
  return [
    [[`A sum of the column Amount (${currency}) may not be exact to the kobo.`, BOLD]],
    [['The columns in kobo are exact, and so is every figure on this sheet.', BOLD]],
  ]
}

/** Excel shows dates before 1900 as ####, and wrongly treats 1900 as a leap year. */
const EXCEL_DATES_FROM = Date.UTC(1900, 2, 1)

function time(instant: Date): StyledValue {
  if (instant.getTime() >= EXCEL_DATES_FROM) return [instant, TIME]
  return [instant.toISOString().slice(0, -1).replace('T', ' '), TEXT]
}

function sumLines({ currency, entry, openingBalance, closingBalance }: Summary, tally: Tally): StyledValue[][] {
  const header = (text: string | null): StyledValue => [text, { ...HEADER, alignment: { horizontal: 'right' } }]
  const money = (kobo: number | bigint): StyledValue[] => [
    [exactNaira(kobo), MONEY],
    [String(kobo), DIGITS],
  ]
  const count = (rows: number): StyledValue => [rows, COUNT]
  const entryLine = (name: Entry, { count: rows, sum }: EntryTally): StyledValue[] =>
    entry === null || entry === name
      ? [[ENTRIES[name], BOLD], count(rows), ...money(sum)]
      : [[ENTRIES[name], BOLD], NOT_INCLUDED, NOT_INCLUDED, NOT_INCLUDED]
  return [
    [['Of the period', HEADER], header(null), header(`Balance (${currency})`), header('Balance (kobo)')],
    [['Opening balance', BOLD], [null, TEXT], ...money(openingBalance)],
    [['Closing balance', BOLD], [null, TEXT], ...money(closingBalance)],
    [['Of the transactions listed', HEADER], header('Count'), header(`Sum (${currency})`), header('Sum (kobo)')],
    entryLine('credit', tally.credit),
    entryLine('debit', tally.debit),
    [['All, credits less debits', BOLD], count(countTallied(tally)), ...money(changeOf(tally))],
  ]
}
