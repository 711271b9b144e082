#!/usr/bin/env bash
# Library: python-calamine 0.9.1 (PyPI), to_python.
# Behaviour: all times of a column have one number format, with hours and minutes. Midnight comes back as a `date`, the
#   others as `datetime`. Python does not compare the two, so a program that sorts the column fails on the first midnight.
# Guess before the run: the number format decides, as in openpyxl, so each cell is a `datetime`.
# Cause: CellValue (src/types/cell.rs) looks at the value alone: a whole number is a `date`.
# Seen:
#   openpyxl:        datetime datetime datetime
#   python-calamine: datetime date datetime
#   sorted:          TypeError
# Needs Python with venv. Ends with 0 if the behaviour is as stated, otherwise with 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# run OUTPUT COMMAND: runs it for at most 15 minutes, and ends the script when it fails.
run() {
  timeout 900 "${@:2}" >"$1" 2>"$1.err" || { echo "FAILED: ${*:2}"; tail -n 20 "$1" "$1.err"; exit 1; }
}

run venv.log python3 -m venv venv
run pip.log venv/bin/pip install --only-binary=:all: python-calamine==0.9.1 openpyxl==3.1.5

cat >scenario.py <<'PY'
import datetime, openpyxl, python_calamine
book = openpyxl.Workbook()
for hours in 23, 24, 25:
    book.active.append([datetime.datetime(2026, 1, 31) + datetime.timedelta(hours=hours)])
assert {cell.number_format for cell in book.active["A"]} == {"yyyy-mm-dd h:mm:ss"}
book.save("times.xlsx")

control = [cell.value for cell in openpyxl.load_workbook("times.xlsx").active["A"]]
sheet = python_calamine.CalamineWorkbook.from_path("times.xlsx").get_sheet_by_index(0)
values = [row[0] for row in sheet.to_python()]
print("openpyxl:       ", *[type(value).__name__ for value in control])
print("python-calamine:", *[type(value).__name__ for value in values])
try:
    sorted(values)
    print("sorted:          no error")
except TypeError:
    print("sorted:          TypeError")
PY
run seen venv/bin/python scenario.py
cat seen

cat >stated <<'TEXT'
openpyxl:        datetime datetime datetime
python-calamine: datetime date datetime
sorted:          TypeError
TEXT
diff stated seen || { echo 'CHANGED: Other types are read now.'; exit 1; }
echo 'As stated: midnight is a date among date-times.'
