#!/usr/bin/env bash
# Library: exceljs 4.4.0 (npm).
# Behaviour: exceljs does not read its own files as it wrote them. `&lt;b&gt;` comes back as `<b>`, and `AT&amp;T` as
#   `AT&T`, if the text is the result of a formula, or if the streaming writer wrote it as it does without options. A text
#   that the ordinary writer wrote comes back as it was. The files are right: openpyxl reads the texts as they were given.
# Guess before the run: each text comes back as it was, in both ways of writing.
# Cause: the XML parser has decoded the text of <v> already, then parseClose (lib/xlsx/xform/sheet/cell-xform.js) and
#   worksheet-reader.js decode it once more with utils.xmlDecode if the cell has t="str". Shared strings (t="s") are left
#   alone.
# Seen:
#   given:                 ["&lt;b&gt;","AT&amp;T"]
#   ordinary, text:        ["&lt;b&gt;","AT&amp;T"]
#   ordinary, formula:     ["<b>","AT&T"]
#   streamed, text:        ["<b>","AT&T"]
#   streamed, formula:     ["<b>","AT&T"]
#   openpyxl on all four:  ["&lt;b&gt;","AT&amp;T"]
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
run pip.log venv/bin/pip install --only-binary=:all: openpyxl==3.1.5

cat >scenario.mjs <<'JS'
import exceljs from 'exceljs'
const given = ['&lt;b&gt;', 'AT&amp;T']
const rows = given.map((text) => [text, { formula: 'A1', result: text }])
console.log('given:                ', JSON.stringify(given))

const book = new exceljs.Workbook()
book.addWorksheet('Sheet').addRows(rows)
await book.xlsx.writeFile('ordinary.xlsx')
const writer = new exceljs.stream.xlsx.WorkbookWriter({ filename: 'streamed.xlsx' })
const sheet = writer.addWorksheet('Sheet')
for (const row of rows) sheet.addRow(row).commit()
await writer.commit()

for (const name of ['ordinary', 'streamed']) {
  const read = new exceljs.Workbook()
  await read.xlsx.readFile(`${name}.xlsx`)
  const cells = (column) => [1, 2].map((row) => read.worksheets[0].getCell(row, column))
  console.log(`${name}, text:       `, JSON.stringify(cells(1).map((cell) => cell.value)))
  console.log(`${name}, formula:    `, JSON.stringify(cells(2).map((cell) => cell.result)))
}
JS
cat >control.py <<'PY'
import json, openpyxl
read = set()
for file in "ordinary.xlsx", "streamed.xlsx":
    for column in openpyxl.load_workbook(file, data_only=True).active.iter_cols(values_only=True):
        read.add(json.dumps(column, separators=(",", ":")))
print("openpyxl on all four: ", *read)
PY
run seen-1 node scenario.mjs
run seen-2 venv/bin/python control.py
cat seen-1 seen-2 | tee seen

cat >stated <<'TEXT'
given:                 ["&lt;b&gt;","AT&amp;T"]
ordinary, text:        ["&lt;b&gt;","AT&amp;T"]
ordinary, formula:     ["<b>","AT&T"]
streamed, text:        ["<b>","AT&T"]
streamed, formula:     ["<b>","AT&T"]
openpyxl on all four:  ["&lt;b&gt;","AT&amp;T"]
TEXT
diff stated seen || { echo 'CHANGED: Other texts are read now.'; exit 1; }
echo 'As stated: what the file escapes once, exceljs decodes twice.'
