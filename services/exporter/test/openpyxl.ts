import { execFileSync, spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const FOLDER = resolve(import.meta.dirname, '../../../.local/openpyxl')
const PYTHON = resolve(FOLDER, 'bin/python')
const VERSION = '3.1.5'

export interface ReadCell {
  value: unknown
  /** openpyxl's: n a number, s text, d a date, f a formula. */
  type: string
  format: string
}

export interface ReadSheet {
  title: string
  isActive: boolean
  frozen: string | null
  filter: string | null
  widths: Record<string, number>
  printedTitle: string | null
  cells: (ReadCell | null)[][]
}

const SCRIPT = `
import datetime, json, sys, openpyxl
def read(cell):
    if cell.value is None: return None
    value = cell.value.isoformat() if isinstance(cell.value, datetime.datetime) else cell.value
    return dict(value=value, type=cell.data_type, format=cell.number_format)
def sheet(ws):
    return dict(title=ws.title, isActive=ws == ws.parent.active, frozen=ws.freeze_panes, filter=ws.auto_filter.ref, printedTitle=ws.print_title_rows,
        widths={name: size.width for name, size in ws.column_dimensions.items()},
        cells=[[read(cell) for cell in row] for row in ws.iter_rows()])
json.dump([sheet(ws) for ws in openpyxl.load_workbook(sys.argv[1])], sys.stdout)
`

/** Whether openpyxl is available. It needs Python 3 with venv, and is installed into .local the first time. */
export function canReadWithPython(): boolean {
  if (spawnSync(PYTHON, ['-c', 'import openpyxl']).status === 0) return true
  if (spawnSync('python3', ['-m', 'venv', FOLDER]).status !== 0) return false
  execFileSync(PYTHON, ['-m', 'pip', 'install', '--quiet', `openpyxl==${VERSION}`])
  return true
}

/** Reads a workbook with a program that shares no code with the writer. */
export function readWithPython(path: string): ReadSheet[] {
  const json = execFileSync(PYTHON, ['-c', SCRIPT, path], { maxBuffer: 100_000_000 })
  return JSON.parse(json.toString()) as ReadSheet[]
}
