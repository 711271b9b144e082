import { PassThrough } from 'node:stream'
import { expect, test } from '@streamledger/testkit'
import exceljs from 'exceljs'
import fc from 'fast-check'
import { isExact, nairaNumber, textCell } from '../src/cells.ts'
import { rowHeightOf } from '../src/row-height.ts'
import type { WorkbookRow } from '../src/row-xml.ts'
import { createRowRenderer } from '../src/row-xml.ts'
import { DIGITS, MONEY, ROUNDED, TEXT, TIME, WRAPPED } from '../src/sheet-styles.ts'

const STYLES = [TIME, TEXT, TEXT, MONEY, MONEY, TEXT, WRAPPED, DIGITS, DIGITS]
/** What the columns in naira show. */
const FIGURES: Readonly<Record<number, (row: WorkbookRow) => number>> = {
  3: ({ amount }) => amount,
  4: ({ balance }) => balance,
}
const FIRST_ROW = 2

interface Internals {
  stream: { write: (xml: string) => void }
  _workbook: { styles: { addStyleModel: (style: object) => number } }
}

/** What exceljs writes of rows that are added cell by cell, row by row, and the styles that it numbered for them. */
function renderByExceljs(rows: readonly WorkbookRow[]): { xml: string[]; styleIds: number[]; roundedId: number } {
  const writer = new exceljs.stream.xlsx.WorkbookWriter({ stream: new PassThrough().resume(), useStyles: true })
  const sheet = writer.addWorksheet('Transactions')
  sheet.addRow(['header']).commit()
  const { stream, _workbook } = sheet as unknown as Internals
  const xml: string[] = []
  stream.write = (text) => void xml.push(text)
  for (const row of rows) {
    const { created_at, id, entry, amount, balance, trans_id } = row
    const values = [
      created_at,
      String(id),
      entry,
      nairaNumber(amount),
      nairaNumber(balance),
      'NGN',
      textCell(trans_id),
      String(amount),
      String(balance),
    ]
    const added = sheet.addRow(values)
    STYLES.forEach((style, index) => {
      const kobo = FIGURES[index]?.(row) ?? 0
      added.getCell(index + 1).style = isExact(kobo) ? style : ROUNDED
    })
    const height = rowHeightOf(trans_id)
    if (height !== undefined) added.height = height
    added.commit()
  }
  const idOf = (style: object) => _workbook.styles.addStyleModel(style)
  return { xml: xml.map(keepSpace), styleIds: STYLES.map(idOf), roundedId: idOf(ROUNDED) }
}

/** exceljs does not keep the space at the ends of a text. */
function keepSpace(xml: string): string {
  return xml.replace(/ t="str"><v>(?=[^\x21-\x7e]|[^<]*[^\x21-\x7e]<|<)/g, ' t="str"><v xml:space="preserve">')
}

const rowsOf: fc.Arbitrary<WorkbookRow> = fc.record({
  id: fc.oneof(fc.maxSafeNat(), fc.nat(1_000)),
  created_at: fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
  entry: fc.constantFrom('credit', 'debit'),
  amount: fc.maxSafeNat(),
  balance: fc.oneof(fc.maxSafeNat(), fc.nat(100)),
  trans_id: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 128 }),
    fc.string({ unit: fc.constantFrom(...`<>&"'=+-@\t\r\n\0\u007f_x0041 a`), maxLength: 128 }),
    fc.uuid(),
  ),
})

test('a row is rendered byte for byte as exceljs renders it', () => {
  fc.assert(
    fc.property(fc.array(rowsOf, { minLength: 1, maxLength: 20 }), (rows) => {
      const { xml, ...ids } = renderByExceljs(rows)
      const renderRow = createRowRenderer({ ...ids, currency: 'NGN' })
      expect(rows.map((row, index) => renderRow(FIRST_ROW + index, row))).toEqual(xml)
    }),
    { numRuns: 200 },
  )
})
