#!/usr/bin/env bash
# Libraries: exceljs 4.4.0 (npm); duckdb 1.5.5 with duckdb-extension-excel 1.5.5 (PyPI), read_xlsx without options.
# Behaviour: a cell of an xlsx file may have a time in ISO 8601 (t="d"). openpyxl writes it with iso_dates=True, and its
#   number format is a date with a time. exceljs reads 2026-01-31 12:30 as a day in July 1905, its streaming reader as the
#   number 2026. DuckDB reads it as a DATE: the time of day is gone. None of them raises an error.
# Guess before the run: a date with its time, or the text as it is in the file.
# Cause: exceljs does not know t="d" (cell-xform.js: parseClose; worksheet-reader.js). parseFloat reads the digits before
#   the first hyphen, which are the year, and the number format makes a date of it: day 2026 since 1899-12-30.
#   GetDuckDBType in duckdb-excel has LogicalType::DATE for t="d" and does not look at the cell's number format.
#   For exceljs it is known from Excel's "Strict Open XML" files: issue 2695 of exceljs/exceljs.
# Seen:
#   openpyxl:          2026-01-31 12:30:00, 2026-02-01 08:15:00
#   exceljs:           1905-07-18T00:00:00.000Z, 1905-07-18T00:00:00.000Z
#   exceljs, streamed: 2026, 2026
#   DuckDB (DATE):     2026-01-31, 2026-02-01
# Needs npm, and Python with venv. Ends with 0 if the behaviour is as stated, otherwise with 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# run OUTPUT COMMAND: runs it for at most 15 minutes, and ends the script when it fails.
run() {
  timeout 900 "${@:2}" >"$1" 2>"$1.err" || { echo "FAILED: ${*:2}"; tail -n 20 "$1" "$1.err"; exit 1; }
}

run npm.log npm install --no-audit --no-fund exceljs@4.4.0
run venv.log python3 -m venv venv
run pip.log venv/bin/pip install --only-binary=:all: duckdb==1.5.5 duckdb-extension-excel==1.5.5 openpyxl==3.1.5

cat >write.py <<'PY'
import datetime, openpyxl
book = openpyxl.Workbook(iso_dates=True)
for row in ["booked at"], [datetime.datetime(2026, 1, 31, 12, 30)], [datetime.datetime(2026, 2, 1, 8, 15)]:
    book.active.append(row)
book.save("times.xlsx")
print("openpyxl:         ", ", ".join(str(cell.value) for cell in openpyxl.load_workbook("times.xlsx").active["A"][1:]))
PY
cat >read.mjs <<'JS'
import exceljs from 'exceljs'
const show = (label, values) => console.log(label, values.map((value) => value.toISOString?.() ?? value).join(', '))
const book = new exceljs.Workbook()
await book.xlsx.readFile('times.xlsx')
show('exceljs:          ', [2, 3].map((row) => book.worksheets[0].getCell(row, 1).value))
const streamed = []
for await (const sheet of new exceljs.stream.xlsx.WorkbookReader('times.xlsx'))
  for await (const row of sheet) streamed.push(row.getCell(1).value)
show('exceljs, streamed:', streamed.slice(1))
JS
cat >read.py <<'PY'
import glob, os
import duckdb, duckdb_extension_excel
(extension,) = glob.glob(os.path.dirname(duckdb_extension_excel.__file__) + "/extensions/*/excel.duckdb_extension")
duckdb.sql(f"load '{extension}'")
table = duckdb.sql("from read_xlsx('times.xlsx')")
print(f"DuckDB ({table.types[0]}):    ", ", ".join(str(value) for (value,) in table.fetchall()))
PY
run seen-1 venv/bin/python write.py
run seen-2 node read.mjs
run seen-3 venv/bin/python read.py
cat seen-1 seen-2 seen-3 | tee seen

cat >stated <<'TEXT'
openpyxl:          2026-01-31 12:30:00, 2026-02-01 08:15:00
exceljs:           1905-07-18T00:00:00.000Z, 1905-07-18T00:00:00.000Z
exceljs, streamed: 2026, 2026
DuckDB (DATE):     2026-01-31, 2026-02-01
TEXT
diff stated seen || { echo 'CHANGED: Other values are read now.'; exit 1; }
echo 'As stated: exceljs keeps only the year, and DuckDB only the day.'
