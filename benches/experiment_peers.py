#!/usr/bin/env python3
"""Runs cip, pandas with SciPy, and tea-tasting side by side on one table of an experiment, and prints a table in Markdown.

    pip install pandas scipy polars tea-tasting pyarrow
    cargo build --release -p cip-cli
    python3 benches/experiment_peers.py target/release/cip [--rows 100000000] [--runs 1]

The table has a row a user: the arm, whether the user bought, what was spent, and what was spent before. Three questions are asked
of it: whether the rates differ, whether the means do, and whether they do after CUPED. Every question is a process of its own
under GNU time; CPU (user + system seconds), wall seconds and peak resident memory are shown, medians of the runs. tea-tasting reads
the file through a lazy frame of Polars, which keeps its memory low; pandas reads the columns that it needs. Then effect, interval and
p-value of each are compared with those of cip: to a billionth (but for the interval of tea-tasting's rates, which is the pooled one), and those of tea-tasting's CUPED to a thousandth of the interval, as it fits the slope over all
users and cip within arms. The exit code is 1 where they differ. Needs /usr/bin/time and about a gigabyte of disk.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from gnu_time import machine, timed

COLUMNS = {"rate": ["bought"], "mean": ["spent"], "cuped": ["spent", "before"]}
PANDAS = """
import json, numpy as np, pandas as pd
from scipy import stats
frame = pd.read_parquet('{table}', columns={columns})
arms = [frame[frame['arm'] == arm] for arm in ('control', 'treatment')]
if '{job}' == 'rate':
    (x, m), (y, n) = [(int(arm['bought'].sum()), len(arm)) for arm in arms]
    p, q = y / n, x / m
    half = stats.norm.ppf(0.975) * np.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    found = [p - q, p - q - half, p - q + half, stats.chi2_contingency([[x, m - x], [y, n - y]], correction=False).pvalue]
else:
    a, b = [arm['spent'].to_numpy() for arm in arms]
    if '{job}' == 'cuped':
        before = [arm['before'].to_numpy() for arm in arms]
        within = [np.cov(of, x) * (len(of) - 1) for of, x in zip((a, b), before)]
        theta = sum(of[0, 1] for of in within) / sum(of[1, 1] for of in within)
        a, b = a - theta * before[0], b - theta * before[1]
    test = stats.ttest_ind(b, a, equal_var=False)
    interval = test.confidence_interval()
    found = [b.mean() - a.mean(), interval.low, interval.high, test.pvalue]
print(json.dumps([float(number) for number in found]))
"""
TEA_TASTING = """
import json, polars as pl, tea_tasting as tt
metric = {{'rate': tt.Proportion('bought', method='norm', equal_var=True, correction=False), 'mean': tt.Mean('spent'),
          'cuped': tt.Mean('spent', 'before')}}['{job}']
frame = pl.scan_parquet('{table}').select({columns})
found = tt.Experiment(dict(metric=metric), variant='arm').analyze(frame, control='control')['metric']
print(json.dumps([float(number) for number in
    (found.effect_size, found.effect_size_ci_lower, found.effect_size_ci_upper, found.pvalue)]))
"""


def generate(path: Path, rows: int) -> None:
    """Writes users: one in ten spends, in cents, and who spent before spends more; the treatment sells a little more."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("arm", pa.dictionary(pa.int32(), pa.string())), ("bought", pa.bool_()), ("spent", pa.float64()),
                        ("before", pa.float64())])
    random = np.random.default_rng(42)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, 1_000_000):
            n = min(1_000_000, rows - start)
            arm = random.integers(0, 2, n)
            before = np.round(np.minimum(random.lognormal(2.0, 1.0, n), 300.0) * (random.random(n) < 0.3), 2)
            bought = random.random(n) < 0.10 + 0.0005 * arm + 0.05 * (before > 0)
            spent = np.round((np.minimum(random.lognormal(2.5, 0.8, n), 300.0) + 0.5 * before) * bought, 2)
            arms = pa.DictionaryArray.from_arrays(pa.array(arm, pa.int32()), ["control", "treatment"])
            writer.write_table(pa.table([arms, pa.array(bought), pa.array(spent), pa.array(before)], schema=schema))


def answer(who: str, said: str) -> list[float]:
    """Returns effect, interval and p-value."""
    if who != "cip":
        return json.loads(said)
    found = json.loads(said)
    if found["theta"] is None:
        return [found[name] for name in ("difference", "ci_low", "ci_high", "p_value")]
    absolute = found["findings"][0]["absolute"]
    return [absolute["effect"], absolute["interval"]["low"], absolute["interval"]["high"], absolute["p_value"]]


def compare(ours: list[float], theirs: list[float], names: list[str], tolerance: float) -> str:
    width = ours[2] - ours[1]
    wrong = [f"{name} {b} is not {a}" for name, a, b in zip(names, ours, theirs) if abs(a - b) > tolerance * width]
    if abs(ours[3] - theirs[3]) > 10 * tolerance * max(ours[3], theirs[3]) + 1e-15:
        wrong.append(f"p-value {theirs[3]} is not {ours[3]}")
    return "; ".join(wrong).upper() or "equal"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--jobs", default="rate,mean,cuped")
    parser.add_argument("--table", type=Path, help="table to read; written where it is not there, and kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        table = args.table or Path(name) / "users.parquet"
        if not table.exists():
            generate(table, args.rows)
        jobs = []
        for job in args.jobs.split(","):
            columns = ["arm", *COLUMNS[job]]
            command = [str(args.cip), "abtest", str(table), "--variant", "arm", "--outcome", columns[1], "--memory",
                       args.memory, "--json"]
            command += ["--covariate", "before"] if job == "cuped" else []
            jobs.append((job, "cip", command))
            for who, text in (("pandas + SciPy", PANDAS), ("tea-tasting", TEA_TASTING)):
                jobs.append((job, who, [sys.executable, "-c", text.format(table=table, columns=columns, job=job)]))
        results = [[] for _ in jobs]
        for _ in range(args.runs):
            for (_, _, command), runs in zip(jobs, results):
                runs.append(timed(command))
        print(f"{args.rows:,} rows, {table.stat().st_size / 1e9:.2f} GB; {machine()}; median of {args.runs}\n")
        print("| question | who | CPU s | wall s | peak MB |\n|---|---|---|---|---|")
        for (job, who, _), runs in zip(jobs, results):
            got = {key: statistics.median(took[key] for _, took in runs) for key in ("cpu", "wall", "peak")}
            print(f"| {job} | {who} | {got['cpu']:.1f} | {got['wall']:.1f} | {got['peak'] / 1e6:.0f} |")
        print()
        said = {(job, who): answer(who, runs[-1][0]) for (job, who, _), runs in zip(jobs, results)}
        equal = True
        for (job, who), theirs in said.items():
            if who != "cip":
                tolerance = 1e-3 if (job, who) == ("cuped", "tea-tasting") else 1e-9
                # Around rates tea-tasting has the pooled interval, cip the unpooled one.
                names = ["effect"] if (job, who) == ("rate", "tea-tasting") else ["effect", "low", "high"]
                text = compare(said[job, "cip"], theirs, names, tolerance)
                equal &= text == "equal"
                print(f"- {job} of {who} and of cip: {', '.join(names)} and p-value {text}")
        return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
