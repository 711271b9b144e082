import { join } from 'node:path'
import exceljs from 'exceljs'
import type pg from 'pg'
import type { Findings } from './findings.ts'

const SAMPLE = 4
/** Maximum rows of a checked workbook, so that it opens within a second. */
const ROWS_MAX = 20_000

interface File {
  id: string
  file: string
  rows_total: number
}

/** Opens a few of the newest workbooks as another program would, and counts their rows. Returns how many it opened. */
export async function checkFiles(pool: pg.Pool, exportDir: string, findings: Findings): Promise<number> {
  const { rows } = await pool.query<File>(
    `select id, file, rows_total from exports
      where status = 'succeeded' and rows_total <= $1 order by (rows_total > 0) desc, created_at desc limit $2`,
    [ROWS_MAX, SAMPLE],
  )
  for (const { id, file, rows_total } of rows) {
    try {
      const found = await countRows(join(exportDir, file))
      if (found !== rows_total) findings.add('files_wrong', `export ${id}: ${found} rows instead of ${rows_total}`)
    } catch (error) {
      findings.add('files_wrong', `export ${id}: ${(error as Error).message}`)
    }
  }
  return rows.length
}

async function countRows(path: string): Promise<number> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(path)
  // A long history continues in `Transactions 2`. Each of these sheets has a header row; other sheets do not count.
  const sheets = workbook.worksheets.filter(({ name }) => name.startsWith('Transactions'))
  return sheets.reduce((sum, sheet) => sum + Math.max(0, sheet.actualRowCount - 1), 0)
}
