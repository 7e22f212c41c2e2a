#!/usr/bin/env python3
"""Runs cip, Polars, DuckDB and DataFusion side by side on the same files, and prints a table in Markdown.

    pip install duckdb polars datafusion==55.0.0
    cargo build --release
    python3 benches/peers.py target/release/cip [--events 20208019] [--runs 3]

Every job is a process of its own under GNU time; the jobs take turns, and the median of the runs is shown: CPU (user +
system seconds), wall seconds, peak resident memory, bytes written. DataFusion is left out where it is not installed. But for the ingest the
others read the Parquet file that DuckDB wrote of the CSV, cip its store. Then the answers of the last run are compared with those of cip, column
by column: every difference is shown, and the exit code is 1. Needs /usr/bin/time and disk for the CSV and the stores.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from gnu_time import machine, timed

POLARS_INGEST = """
import polars as pl
pl.scan_csv('{csv}/*.csv').sink_parquet('{out}', compression='zstd')
"""
DUCKDB_INGEST = """
import duckdb
duckdb.sql("SET threads = {threads}")
duckdb.sql("COPY (FROM read_csv('{csv}/*.csv')) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
"""
DUCKDB_SESSIONS = """
import duckdb
duckdb.sql("SET threads = {threads}")
duckdb.sql('''COPY (
  WITH gaps AS (
    SELECT *, CASE WHEN event_time - lag(event_time) OVER (PARTITION BY user_id ORDER BY event_time)
                        <= INTERVAL 30 MINUTE THEN 0 ELSE 1 END AS starts FROM '{parquet}'),
  numbered AS (SELECT *, sum(starts) OVER (PARTITION BY user_id ORDER BY event_time) AS session_seq FROM gaps)
  SELECT user_id, session_seq, min(event_time) AS session_start, max(event_time) AS session_end, count(*) AS events,
         epoch(max(event_time) - min(event_time))::BIGINT AS duration_seconds,
         count(*) FILTER (event_type = 'view') AS views, count(*) FILTER (event_type = 'cart') AS carts,
         count(*) FILTER (event_type = 'remove_from_cart') AS removes,
         count(*) FILTER (event_type = 'purchase') AS purchases, count(DISTINCT product_id) AS products,
         coalesce(sum(price) FILTER (event_type = 'purchase'), 0) AS revenue
  FROM numbered GROUP BY ALL) TO '{out}' (FORMAT parquet, COMPRESSION zstd)''')
"""
# The same statement; neither engine sorts what it writes.
DATAFUSION_SESSIONS = """
from datafusion import SessionConfig, SessionContext
ctx = SessionContext(SessionConfig().with_target_partitions({threads}))
ctx.register_parquet('events', '{parquet}')
ctx.sql('''
  WITH gaps AS (
    SELECT *, CASE WHEN event_time - lag(event_time) OVER (PARTITION BY user_id ORDER BY event_time)
                        <= INTERVAL '30' MINUTE THEN 0 ELSE 1 END AS starts FROM events),
  numbered AS (SELECT *, sum(starts) OVER (PARTITION BY user_id ORDER BY event_time) AS session_seq FROM gaps)
  SELECT user_id, session_seq, min(event_time) AS session_start, max(event_time) AS session_end, count(*) AS events,
         arrow_cast(max(event_time) - min(event_time), 'Int64') / 1000000 AS duration_seconds,
         count(*) FILTER (WHERE event_type = 'view') AS views, count(*) FILTER (WHERE event_type = 'cart') AS carts,
         count(*) FILTER (WHERE event_type = 'remove_from_cart') AS removes,
         count(*) FILTER (WHERE event_type = 'purchase') AS purchases, count(DISTINCT product_id) AS products,
         coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0) AS revenue
  FROM numbered GROUP BY user_id, session_seq''').write_parquet('{out}', compression='zstd')
"""
# Of the ways that were tried the one that takes Polars least: one sort, and a session begins where user or time jump.
POLARS_SESSIONS = """
import polars as pl
of = lambda kind: pl.col('event_type') == kind
begins = pl.col('user_id').ne_missing(pl.col('user_id').shift()) | (pl.col('event_time').diff() > pl.duration(minutes=30))
(pl.scan_parquet('{parquet}').select('user_id', 'event_time', 'event_type', 'product_id', 'price').sort('user_id', 'event_time')
   .with_columns(session=begins.cum_sum()).group_by('user_id', 'session')
   .agg(session_start=pl.col('event_time').min(), session_end=pl.col('event_time').max(), events=pl.len(),
        views=of('view').sum(), carts=of('cart').sum(), removes=of('remove_from_cart').sum(), purchases=of('purchase').sum(),
        products=pl.col('product_id').n_unique(), revenue=pl.col('price').filter(of('purchase')).sum())
   .with_columns(session_seq=pl.col('session') - pl.col('session').min().over('user_id') + 1,
                 duration_seconds=(pl.col('session_end') - pl.col('session_start')).dt.total_seconds())
   .drop('session').sink_parquet('{out}', compression='zstd'))
"""
# The shop's first month foretells its second: the eleven features that every engine computes the same way.
DUCKDB_FEATURES = """
import duckdb
duckdb.sql("SET threads = {threads}")
duckdb.sql('''COPY (
  SELECT user_id, count(*) AS events, count(*) FILTER (event_type = 'view') AS views,
         count(*) FILTER (event_type = 'cart') AS carts, count(*) FILTER (event_type = 'purchase') AS purchases,
         coalesce(sum(price) FILTER (event_type = 'purchase'), 0) AS spend, count(DISTINCT user_session) AS sessions,
         count(DISTINCT product_id) AS products, avg(price) AS avg_price, max(price) AS max_price,
         max(event_time)::DATE - min(event_time)::DATE AS active_span_days,
         DATE '2019-12-01' - max(event_time)::DATE AS recency_days
  FROM '{parquet}' GROUP BY user_id ORDER BY user_id) TO '{out}' (FORMAT parquet, COMPRESSION zstd)''')
"""
# The default scores of `cip rfm`.
DUCKDB_RFM = """
import duckdb
duckdb.sql("SET threads = {threads}")
duckdb.sql('''COPY (
  WITH facts AS (
    SELECT user_id, DATE '2019-12-01' - max(event_time)::DATE AS recency_days, count(*) AS frequency, sum(price) AS monetary
    FROM '{parquet}' WHERE event_type = 'purchase' AND event_time < '2019-12-01' GROUP BY user_id)
  SELECT *, NTILE(5) OVER (ORDER BY recency_days DESC, user_id) AS r,
         CASE WHEN frequency >= 6 THEN 5 WHEN frequency >= 4 THEN 4 ELSE frequency END AS f,
         NTILE(5) OVER (ORDER BY round(monetary, 2), user_id) AS m
  FROM facts ORDER BY user_id) TO '{out}' (FORMAT parquet, COMPRESSION zstd)''')
"""
POLARS_RFM = """
import datetime
import polars as pl
def tile(order):
    rank = pl.struct(*order).rank('ordinal').cast(pl.Int64) - 1
    larger, size = pl.len() % 5, pl.len() // 5
    return pl.when(rank < larger * (size + 1)).then(rank // (size + 1)).otherwise((rank - larger) // pl.max_horizontal(size, 1)) + 1
(pl.scan_parquet('{parquet}').filter((pl.col('event_type') == 'purchase') & (pl.col('event_time') < datetime.datetime(2019, 12, 1)))
   .group_by('user_id').agg(last=pl.col('event_time').max().dt.date(), frequency=pl.len().cast(pl.Int64), monetary=pl.col('price').sum().round(2))
   .with_columns(recency_days=(datetime.date(2019, 12, 1) - pl.col('last')).dt.total_days()).drop('last').sort('user_id')
   .with_columns(r=tile([-pl.col('recency_days'), 'user_id']), m=tile(['monetary', 'user_id']),
                 f=pl.when(pl.col('frequency') >= 6).then(5).when(pl.col('frequency') >= 4).then(4).otherwise(pl.col('frequency')))
   .sink_parquet('{out}', compression='zstd'))
"""
DUCKDB_PAIRS = """
import duckdb
duckdb.sql("SET threads = {threads}")
duckdb.sql('''COPY (
  WITH entries AS (SELECT DISTINCT user_id, user_session, product_id FROM '{parquet}'),
  sized AS (SELECT user_id, user_session FROM entries GROUP BY ALL HAVING count(*) BETWEEN 2 AND 50),
  kept AS (SELECT * FROM entries JOIN sized USING (user_id, user_session))
  SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS together
  FROM kept a JOIN kept b ON a.user_id = b.user_id AND a.user_session = b.user_session AND a.product_id < b.product_id
  GROUP BY ALL HAVING count(*) >= 2 ORDER BY ALL) TO '{out}' (FORMAT parquet, COMPRESSION zstd)''')
"""
COMPACT = "cip --layout compact"
# What every row of an answer is known by; its other columns are compared.
KEYS = {"sessions": ["user_id", "session_seq"], "rfm": ["user_id"], "features": ["user_id"], "pairs": ["product_a", "product_b"]}
FEATURES = "events,views,carts,purchases,spend,sessions,products,avg_price,max_price,active_span_days,recency_days"


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size


def measure(command: list[str], out: Path) -> dict:
    if out.is_dir():
        shutil.rmtree(out)
    out.unlink(missing_ok=True)
    _, took = timed(command, env=dict(os.environ, POLARS_MAX_THREADS=str(os.cpu_count())))
    return {**took, "bytes": size(out)}


def compare(job: str, ours: Path, theirs: Path) -> str:
    """Returns how many rows two answers have, and in which columns they differ, in how many rows.

    Sums and means of money are doubles in the other engines, which add them up in any order: they may differ by a billionth. All else
    is equal or not.
    """
    import duckdb

    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    theirs = f"{theirs}/*.parquet" if theirs.is_dir() else theirs
    names = [row[0] for row in db.execute(f"DESCRIBE FROM '{theirs}'").fetchall() if row[0] not in KEYS[job]]
    money = {"revenue", "spend", "monetary", "avg_price", "max_price"}
    differs = lambda name: (f"abs(a.{name}::DOUBLE - b.{name}) > 1e-9 * abs(b.{name}) OR (a.{name} IS NULL) <> (b.{name} IS NULL)"
                            if name in money else f"a.{name} IS DISTINCT FROM b.{name}")
    counts = ", ".join(f"count(*) FILTER ({differs(name)})" for name in names)
    both = f"FROM '{ours}' a FULL JOIN '{theirs}' b USING ({', '.join(KEYS[job])})"
    found = db.execute(f"SELECT {counts} {both}").fetchone()
    rows = [db.execute(f"SELECT count(*) FROM '{path}'").fetchone()[0] for path in (ours, theirs)]
    wrong = [f"{name} differs in {count:,} rows" for name, count in zip(names, found) if count]
    if rows[0] != rows[1]:
        wrong.insert(0, f"{rows[1]:,} rows")
    return f"{rows[0]:,} rows of {len(names) + len(KEYS[job])} columns: " + ("; ".join(wrong).upper() or "equal")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--events", type=int, default=20_208_019)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default="512MiB", help="that of cip; of several, 512MiB,256MiB, the others are for more ingests")
    parser.add_argument("--csv", type=Path, help="folder of files in the format of the store clickstream (default: generate them)")
    parser.add_argument("--jobs", default="sessions,rfm,features,pairs", help="which to run besides ingest, whose files they read")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    import duckdb
    import polars

    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        csv, store, parquet = args.csv or folder / "csv", folder / "store", folder / "duckdb.parquet"
        if not args.csv:
            subprocess.run([args.cip, "generate", csv, "--events", str(args.events), "--seed", "42"], check=True,
                           capture_output=True)
        threads = os.cpu_count()
        python = lambda text, out: [sys.executable, "-c", text.format(csv=csv, out=out, parquet=parquet, threads=threads)]
        memory, *others = args.memory.split(",")
        cip = [str(args.cip), "--memory", memory]
        jobs = [
            ("ingest", "cip", [*cip, "ingest", str(csv), "--mapping", "rees46", "--out", str(store)], store),
            ("ingest", COMPACT, [*cip, "ingest", str(csv), "--mapping", "rees46", "--layout", "compact", "--out",
                                 str(folder / "compact")], folder / "compact"),
            ("ingest", f"Polars {polars.__version__}", python(POLARS_INGEST, folder / "polars.parquet"),
             folder / "polars.parquet"),
            ("ingest", f"DuckDB {duckdb.__version__}", python(DUCKDB_INGEST, parquet), parquet),
            ("sessions", "cip", [*cip, "sessions", str(store), "--out", str(folder / "s.parquet")], folder / "s.parquet"),
            ("sessions", f"DuckDB {duckdb.__version__}", python(DUCKDB_SESSIONS, folder / "d.parquet"), folder / "d.parquet"),
            ("sessions", f"Polars {polars.__version__}", python(POLARS_SESSIONS, folder / "o.parquet"), folder / "o.parquet"),
            ("sessions", "DataFusion", python(DATAFUSION_SESSIONS, folder / "e.parquet"), folder / "e.parquet"),
            ("rfm", "cip", [*cip, "rfm", str(store), "--as-of", "2019-12-01", "--out", str(folder / "r.parquet")], folder / "r.parquet"),
            ("rfm", f"DuckDB {duckdb.__version__}", python(DUCKDB_RFM, folder / "t.parquet"), folder / "t.parquet"),
            ("rfm", f"Polars {polars.__version__}", python(POLARS_RFM, folder / "u.parquet"), folder / "u.parquet"),
            ("features", "cip", [*cip, "features", str(store), "--cutoff", "2019-12-01", "--columns", FEATURES, "--out",
                                 str(folder / "f.parquet")], folder / "f.parquet"),
            ("features", f"DuckDB {duckdb.__version__}", python(DUCKDB_FEATURES, folder / "g.parquet"), folder / "g.parquet"),
            ("pairs", "cip", [*cip, "pairs", str(store), "--out", str(folder / "p.parquet")], folder / "p.parquet"),
            ("pairs", f"DuckDB {duckdb.__version__}", python(DUCKDB_PAIRS, folder / "q.parquet"), folder / "q.parquet"),
        ]
        for less in others:
            ingest = [str(args.cip), "--memory", less, "ingest", str(csv), "--mapping", "rees46", "--out", str(folder / "less")]
            jobs += [("ingest", f"cip --memory {less}", ingest, folder / "less"),
                     ("ingest", f"{COMPACT} --memory {less}", [*ingest, "--layout", "compact"], folder / "less")]
        if importlib.util.find_spec("datafusion"):
            version = importlib.metadata.version("datafusion")
            jobs = [(job, f"{who} {version}" if who == "DataFusion" else who, *rest) for job, who, *rest in jobs]
        else:
            jobs = [job for job in jobs if job[1] != "DataFusion"]
        jobs = [job for job in jobs if job[0] in ["ingest", *args.jobs.split(",")]]
        results = [[] for _ in jobs]
        for _ in range(args.runs):
            for (_, _, command, out), runs in zip(jobs, results):
                runs.append(measure(command, out))
        median = [{key: statistics.median(run[key] for run in runs) for key in runs[0]} for runs in results]
        base = {job: figures for (job, who, _, _), figures in zip(jobs, median) if who == "cip"}
        events = duckdb.sql(f"SELECT count(*) FROM '{parquet}'").fetchall()[0][0]
        print(f"{events:,} events, {size(csv) / 1e9:.2f} GB of CSV; {machine()}; median of {args.runs}\n")
        print("| job | who | CPU s | wall s | peak MB | output MB | CPU of cip | wall of cip |\n|---|---|---|---|---|---|---|---|")
        for (job, who, _, _), got in zip(jobs, median):
            ratios = [f"{base[job][key] / got[key]:.2f}" for key in ("cpu", "wall")]
            print(f"| {job} | {who} | {got['cpu']:.1f} | {got['wall']:.1f} | {got['peak'] / 1e6:.0f} | "
                  f"{got['bytes'] / 1e6:.0f} | {ratios[0]} | {ratios[1]} |")
        print()
        of_ingest = {who: figures for (job, who, _, _), figures in zip(jobs, median) if job == "ingest"}
        compact = of_ingest.pop(COMPACT)
        for who, got in of_ingest.items():
            print(f"- {COMPACT} takes {compact['cpu'] / got['cpu']:.2f} of the CPU of {who}, {compact['wall'] / got['wall']:.2f} of its "
                  f"wall, {compact['bytes'] / got['bytes']:.2f} of its bytes")
        ours = {job: out for job, who, _, out in jobs if who == "cip"}
        said = [(job, who, compare(job, ours[job], out)) for job, who, _, out in jobs if who != "cip" and job in KEYS]
        for job, who, text in said:
            print(f"- {job} of {who} and of cip: {text}")
        return 0 if all(text.endswith("equal") for _, _, text in said) else 1


if __name__ == "__main__":
    sys.exit(main())
