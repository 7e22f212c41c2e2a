#!/usr/bin/env python3
"""Shows that other engines read a store as it is: DuckDB, Polars, pandas (with pyarrow) give the same values.

    pip install duckdb polars pandas pyarrow
    python3 scripts/check_engines.py STORE [--plain PLAIN_STORE]

Every file of the store is read whole by each engine and compared value by value with what pyarrow reads, in the files' order.
That the values are those of the source files is what check_sql.py shows. With --plain, STORE is a compact store of the same source
files, and each engine joins its events with their offers: the rows must be those of the plain store. Exit code 0 where all agree.
"""

import argparse
import sys
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet


def plain(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """A column without what engines choose for themselves: dictionaries, views, time zones, widths."""
    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        column = pyarrow.chunked_array([chunk.storage for chunk in column.chunks], type=kind.storage_type)
        kind = column.type
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("us", tz="UTC") if kind.tz else pyarrow.timestamp("us"))\
            .cast(pyarrow.int64())
    if pyarrow.types.is_decimal(kind):
        return column.cast(pyarrow.decimal128(38, kind.scale))
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or kind == pyarrow.string_view():
        return column.cast(pyarrow.large_string())
    if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind) or pyarrow.types.is_fixed_size_binary(kind)\
            or kind == pyarrow.binary_view():
        return column.cast(pyarrow.binary()).cast(pyarrow.large_binary())
    return column


def whole_by_duckdb(commit: Path) -> pyarrow.Table:
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    seconds = any(row[0] == "event_second" for row in db.execute(f"DESCRIBE FROM '{commit}/events-*.parquet'").fetchall())
    replaced = "EXCLUDE (event_second, offer), make_timestamptz(event_second * 1000000) AS event_time" if seconds else "EXCLUDE (offer)"
    return db.sql(f"""
        SELECT e.* {replaced}, o.* EXCLUDE (offer, events)
        FROM (SELECT *, row_number() OVER () AS place FROM '{commit}/events-*.parquet') e JOIN '{commit}/offers.parquet' o USING (offer)
        ORDER BY place""").to_arrow_table()


def whole_by_polars(commit: Path) -> pyarrow.Table:
    events = polars.scan_parquet(commit / "events-*.parquet")
    if "event_second" in events.collect_schema().names():
        time = polars.from_epoch("event_second", time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        events = events.with_columns(event_time=time)
    offers = polars.scan_parquet(commit / "offers.parquet").drop("events")
    return events.join(offers, on="offer", maintain_order="left").collect().to_arrow()


def whole_by_pandas(commit: Path) -> pyarrow.Table:
    read = lambda file: pandas.read_parquet(file, dtype_backend="pyarrow")
    events = pandas.concat([read(file) for file in sorted(commit.glob("events-*.parquet"))], ignore_index=True)
    if "event_second" in events:
        events["event_time"] = pandas.to_datetime(events["event_second"].astype("int64"), unit="s", utc=True)
    whole = events.merge(read(commit / "offers.parquet").drop(columns="events"), on="offer", how="left")
    return pyarrow.Table.from_pandas(whole, preserve_index=False)


def differing(expected: pyarrow.Table, found: pyarrow.Table) -> list[str]:
    """The columns of one table that another does not have in the same way."""
    if len(expected) != len(found):
        return [f"{len(found):,} rows instead of {len(expected):,}"]
    wrong = []
    for name in expected.column_names:
        if name not in found.column_names:
            wrong.append(name)
            continue
        ours, theirs = plain(expected[name]), plain(found[name])
        same = theirs.cast(ours.type)
        differs = pc.sum(pc.fill_null(pc.not_equal(ours, same), False)).as_py() or 0
        nulls = pc.sum(pc.not_equal(pc.is_null(ours), pc.is_null(same))).as_py() or 0
        if differs + nulls:
            wrong.append(name)
    return wrong


def check_compact(compact: Path, other: Path) -> int:
    """Holds the events of a compact store, joined with their offers, to those of a plain one."""
    failed = 0
    for commit in sorted(compact.glob("commits/*")):
        files = sorted((other / "commits" / commit.name).glob("events-*.parquet"))
        expected = pyarrow.concat_tables(pyarrow.parquet.read_table(file).unify_dictionaries() for file in files)
        for engine, whole in (("DuckDB", whole_by_duckdb), ("Polars", whole_by_polars), ("pandas", whole_by_pandas)):
            wrong = differing(expected, whole(commit))
            failed += len(wrong)
            print(f"{commit.name} joined by {engine:8} {len(expected):>12,} rows  {'agrees' if not wrong else 'DIFFERS: ' + ', '.join(wrong)}")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--plain", type=Path, help="a plain store of the same files: then STORE is compact")
    args = parser.parse_args()
    store = args.store
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET preserve_insertion_order = true")
    engines = {
        f"DuckDB {duckdb.__version__}": lambda file: db.sql(f"SELECT * FROM '{file}'").to_arrow_table(),
        f"Polars {polars.__version__}": lambda file: polars.read_parquet(file).to_arrow(),
        f"pandas {pandas.__version__}": lambda file: pyarrow.Table.from_pandas(
            pandas.read_parquet(file, dtype_backend="pyarrow"), preserve_index=False),
    }
    failed = 0
    for file in sorted(store.glob("commits/*/*.parquet")):
        expected = pyarrow.parquet.read_table(file)
        for engine, read in engines.items():
            found = read(file)
            wrong = []
            for name in expected.column_names:
                ours, theirs = plain(expected[name]), plain(found[name])
                if name == "user_session" and theirs.type == pyarrow.large_string() and ours.type != theirs.type:
                    # DuckDB has UUIDs of its own, which it hands over as text.
                    text = pyarrow.array([value and bytes.fromhex(value.replace("-", "")) for value in theirs.to_pylist()])
                    theirs = pyarrow.chunked_array([text]).cast(pyarrow.large_binary())
                same = theirs.cast(ours.type)
                differs = pc.sum(pc.fill_null(pc.not_equal(ours, same), False)).as_py() or 0
                nulls = pc.sum(pc.not_equal(pc.is_null(ours), pc.is_null(same))).as_py() or 0
                if len(ours) != len(same) or differs + nulls:
                    wrong.append(name)
            failed += len(wrong)
            print(f"{file.name:28} {engine:14} {len(found):>12,} rows  {'agrees' if not wrong else 'DIFFERS: ' + ', '.join(wrong)}")
    if args.plain:
        failed += check_compact(store, args.plain)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
