#!/usr/bin/env bash
# Library: duckdb 1.5.5 and duckdb-extension-excel 1.5.5 (PyPI), read_xlsx without options.
# Behaviour: whether the first row is taken as the header depends on how its texts are stored. One program writes the
#   same rows twice. With shared strings (t="s") DuckDB finds the header. With strings in the cells (t="str") the header is
#   a row of data, the columns are named A1 and B1, and the numbers are text. There is no warning.
#   t="str" is what the streaming writer of exceljs writes unless it is told otherwise.
# Guess before the run: the storage of a string is no part of its meaning, so both files give the same table.
# Cause: HeaderSniffer::OnEndRow (worksheet_parser.hpp in duckdb-excel) asks that all cells of the row are SHARED_STRING or
#   INLINE_STRING. t="str" is a third type, FORMULA_STRING, although GetDuckDBType makes VARCHAR of all three.
# Seen:
#   openpyxl, shared strings:   [('id', 'amount'), ('a', 5), ('b', 6)]
#   openpyxl, strings in cells: [('id', 'amount'), ('a', 5), ('b', 6)]
#   DuckDB, shared strings:     ['id', 'amount'] ['VARCHAR', 'DOUBLE'] [('a', 5.0), ('b', 6.0)]
#   DuckDB, strings in cells:   ['A1', 'B1'] ['VARCHAR', 'VARCHAR'] [('id', 'amount'), ('a', '5'), ('b', '6')]
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

cat >write.mjs <<'JS'
import exceljs from 'exceljs'
for (const useSharedStrings of [true, false]) {
  const filename = useSharedStrings ? 'shared.xlsx' : 'cells.xlsx'
  const writer = new exceljs.stream.xlsx.WorkbookWriter({ filename, useSharedStrings })
  const sheet = writer.addWorksheet('Sheet')
  for (const row of [['id', 'amount'], ['a', 5], ['b', 6]]) sheet.addRow(row).commit()
  await writer.commit()
}
JS
run write.log node write.mjs

cat >read.py <<'PY'
import glob, os
import duckdb, duckdb_extension_excel, openpyxl
(extension,) = glob.glob(os.path.dirname(duckdb_extension_excel.__file__) + "/extensions/*/excel.duckdb_extension")
duckdb.sql(f"load '{extension}'")
stored = {"shared.xlsx": "shared strings:  ", "cells.xlsx": "strings in cells:"}
for file, how in stored.items():
    print(f"openpyxl, {how}", [*openpyxl.load_workbook(file).active.iter_rows(values_only=True)])
for file, how in stored.items():
    table = duckdb.sql(f"from read_xlsx('{file}')")
    print(f"DuckDB, {how}  ", table.columns, [*map(str, table.types)], table.fetchall())
PY
run seen venv/bin/python read.py
cat seen

cat >stated <<'TEXT'
openpyxl, shared strings:   [('id', 'amount'), ('a', 5), ('b', 6)]
openpyxl, strings in cells: [('id', 'amount'), ('a', 5), ('b', 6)]
DuckDB, shared strings:     ['id', 'amount'] ['VARCHAR', 'DOUBLE'] [('a', 5.0), ('b', 6.0)]
DuckDB, strings in cells:   ['A1', 'B1'] ['VARCHAR', 'VARCHAR'] [('id', 'amount'), ('a', '5'), ('b', '6')]
TEXT
diff stated seen || { echo 'CHANGED: Other tables are read now.'; exit 1; }
echo 'As stated: DuckDB does not find a header whose texts are in the cells (t="str").'
