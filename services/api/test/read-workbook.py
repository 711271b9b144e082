"""Reads the transactions of ./history.xlsx with each tool, by the line of code that docs/exports.md has for it.

stdin: {tool: code}; stdout: {tool: [[cell, ...], ...]}, with times in milliseconds since 1970.
"""

import datetime
import glob
import json
import os
import sys

import duckdb
import duckdb_extension_excel
import openpyxl
import pandas as pd
import polars as pl
import python_calamine

EPOCH = datetime.datetime(1970, 1, 1)
folder = os.path.dirname(duckdb_extension_excel.__file__)
(extension,) = glob.glob(f"{folder}/extensions/*/excel.duckdb_extension")
duckdb.sql(f"load '{extension}'")


def rows_of(read):
    if isinstance(read, pd.DataFrame):
        return read.itertuples(index=False)
    if isinstance(read, pl.DataFrame):
        return read.rows()
    return read.fetchall() if isinstance(read, duckdb.DuckDBPyRelation) else read


def cell_of(value):
    if isinstance(value, datetime.date):
        # calamine makes a date of a midnight.
        instant = value if isinstance(value, datetime.datetime) else datetime.datetime(value.year, value.month, value.day)
        return round((instant - EPOCH) / datetime.timedelta(milliseconds=1))
    # JavaScript's numbers would lose digits of an integer.
    return value if isinstance(value, float) else str(value)


tools = json.load(sys.stdin)
json.dump({name: [[cell_of(cell) for cell in row] for row in rows_of(eval(code))] for name, code in tools.items()}, sys.stdout)
