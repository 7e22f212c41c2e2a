#!/usr/bin/env python3
"""Runs cip, LightGBM and XGBoost side by side on one table of numbers, and prints tables in Markdown.

    pip install lightgbm polars xgboost
    cargo build --release -p cip-cli -p cip-benches --bin cip --bin scoring
    python3 benches/trees.py target/release/cip target/release/scoring [--threads 1,2] [--rows 800000] [--runs 3]

All grow 200 trees of 31 leaves from the same rows, with what else they have by default, then score and explain rows that they have not seen.
Training is binning and boosting alone on all sides: `fit_cpu_s` of cip, the construction of the data set and the training of the others. Scoring and
explaining are the sums alone, of values that lie in memory: `scoring` of cip, the call of the others. CPU is user and system seconds of all
threads. The jobs take turns; the median of the runs is shown. AUC and lift are of 160,000 rows, with intervals of 95% of 200 resamples, and the
difference has an interval of its own: all models are tried on the same resamples.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from gnu_time import machine

TREES, LEAVES, RATE = 200, 31, 0.1


def table(rows: int, columns: int, folder: Path) -> tuple[Path, Path]:
    """Writes the rows to learn from, and the others."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(1)
    x = random.normal(size=(rows, columns)).astype(np.float32)
    logit = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + np.sin(x[:, 3] * 2) - 3
    label = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.uint8)
    frame = pl.DataFrame({"user_id": np.arange(rows), **{f"f{i}": x[:, i] for i in range(columns)}, "label": label})
    learn = rows * 8 // 10
    parts = {"learn": frame[:learn], "test": frame[learn:]}
    for name, part in parts.items():
        part.write_parquet(folder / f"{name}.parquet")
    return tuple(folder / f"{name}.parquet" for name in parts)


def said(*command: object) -> dict:
    """The JSON that a command prints."""
    return json.loads(subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout)


def timed(call) -> tuple[object, float, float]:
    """What a call returns, and its CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    got = call()
    return got, time.process_time() - cpu, time.perf_counter() - wall


class Ranking:
    """The rows of a test from the highest score to the lowest, for AUC and lift under any weights."""

    def __init__(self, scores, labels):
        import numpy as np

        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        self.labels = labels[self.order].astype(float)

    def metrics(self, weights) -> tuple[float, float]:
        import numpy as np

        weights = weights[self.order]
        positive, negative = weights * self.labels, weights * (1 - self.labels)
        # Rows that tie are half above each other.
        positives, negatives = (np.add.reduceat(of, self.starts) for of in (positive, negative))
        above = np.cumsum(positives) - positives / 2
        auc = (negatives * above).sum() / (positives.sum() * negatives.sum())
        budget = 0.05 * weights.sum()
        taken = np.clip(budget - (np.cumsum(weights) - weights), 0, weights)
        return auc, (taken * self.labels).sum() / budget / (positive.sum() / weights.sum())


def quality(scores: dict, labels) -> None:
    """Prints AUC and lift of each model, and how far cip is from the others."""
    import numpy as np

    rankings = {name: Ranking(of, labels) for name, of in scores.items()}
    random = np.random.default_rng(7)
    draws = [random.poisson(1.0, len(labels)).astype(float) for _ in range(200)]
    once = np.ones(len(labels))
    exact = {name: np.array(of.metrics(once)) for name, of in rankings.items()}
    drawn = {name: np.array([of.metrics(weights) for weights in draws]) for name, of in rankings.items()}
    interval = lambda values: np.quantile(values, [0.025, 0.975])
    others = [name for name in scores if name != "cip"]
    print("| on rows not seen | " + " | ".join([*scores, *(f"cip less {name}" for name in others)]) + " |")
    print("|---" * (len(scores) + len(others) + 1) + "|")
    for at, (what, digits) in enumerate([("AUC", 4), ("lift of the top 5%", 2)]):
        cells = []
        for name in scores:
            low, high = interval(drawn[name][:, at])
            cells.append(f"{exact[name][at]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
        for name in others:
            low, high = interval(drawn["cip"][:, at] - drawn[name][:, at])
            difference = exact["cip"][at] - exact[name][at]
            cells.append(f"{difference:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})")
        print(f"| {what} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("scoring", type=Path)
    parser.add_argument("--threads", default="1,2", help="numbers of threads, split by commas")
    parser.add_argument("--rows", type=int, default=800_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--explained", type=int, default=2_000, help="rows that are explained")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    import lightgbm
    import numpy as np
    import polars as pl
    import xgboost

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learn, test = table(args.rows, args.columns, folder)
        read = lambda path: pl.read_parquet(path).drop("user_id", "label").to_numpy().astype(np.float32, order="C")
        label = lambda path: pl.read_parquet(path)["label"].to_numpy()
        x, y, x_test, y_test = read(learn), label(learn), read(test), label(test)
        x_some = x_test[: args.explained]
        model, scored = folder / "model.json", folder / "scores.parquet"

        def cip(threads: int) -> tuple[dict, object]:
            # A thousandth is held out, because something has to be; no rows are kept for a calibration.
            grow = ["--trees", TREES, "--leaves", LEAVES, "--learning-rate", RATE]
            trained = said(args.cip, "--threads", threads, "train", learn, "--label", "label", *grow, "--hold-out", 0.001,
                           "--calibration", "none", "--out", model, "--json")
            rates = said(args.scoring, model, test, threads, args.explained, 1)
            said(args.cip, "score", test, "--model", model, "--out", scored, "--json")
            seconds = lambda run: (run["cpu_s"], run["wall_s"])
            times = {"train": (trained["fit_cpu_s"], trained["fit_wall_s"]), "score": seconds(rates["score"][0]),
                     "explain": seconds(rates["explain"][0])}
            return times, pl.read_parquet(scored)["margin"].to_numpy()

        def with_lightgbm(threads: int) -> tuple[dict, object]:
            params = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": RATE, "num_threads": threads, "verbose": -1}
            booster, *train = timed(lambda: lightgbm.train(params, lightgbm.Dataset(x, y, params=params), TREES))
            margins, *score = timed(lambda: booster.predict(x_test, raw_score=True, num_threads=threads))
            _, *explain = timed(lambda: booster.predict(x_some, pred_contrib=True, num_threads=threads))
            return {"train": train, "score": score, "explain": explain}, margins

        def with_xgboost(threads: int) -> tuple[dict, object]:
            params = {"objective": "binary:logistic", "tree_method": "hist", "grow_policy": "lossguide", "max_leaves": LEAVES,
                      "max_depth": 0, "learning_rate": RATE, "nthread": threads}
            booster, *train = timed(lambda: xgboost.train(params, xgboost.QuantileDMatrix(x, y, nthread=threads), TREES))
            margins, *score = timed(lambda: booster.inplace_predict(x_test, predict_type="margin"))
            rows = xgboost.DMatrix(x_some, nthread=threads)
            _, *explain = timed(lambda: booster.predict(rows, pred_contribs=True))
            return {"train": train, "score": score, "explain": explain}, margins

        programs = {"cip": cip, "LightGBM": with_lightgbm, "XGBoost": with_xgboost}
        margins: dict[str, object] = {}
        print(f"{args.rows:,} rows of {args.columns} columns, {TREES} trees of {LEAVES} leaves; {machine()}; LightGBM "
              f"{lightgbm.__version__}, XGBoost {xgboost.__version__}; median of {args.runs}\n")
        print("| | threads | " + " | ".join(programs) + " |\n" + "|---" * (len(programs) + 2) + "|")
        for threads in map(int, args.threads.split(",")):
            runs: dict[str, list[dict]] = {name: [] for name in programs}
            for _ in range(args.runs):
                for name, run in programs.items():
                    times, margins[name] = run(threads)
                    runs[name].append(times)
            median = lambda name, job, at: statistics.median(run[job][at] for run in runs[name])
            row = lambda what, cells: print(f"| {what} | {threads} | " + " | ".join(cells) + " |", flush=True)
            row(f"train on {len(x):,} rows, CPU s", [f"{median(name, 'train', 0):.2f}" for name in programs])
            row("wall s", [f"{median(name, 'train', 1):.2f}" for name in programs])
            for job, rows in (("score", len(x_test)), ("explain", len(x_some))):
                row(f"{job}, rows a second", [f"{rows / median(name, job, 1):,.0f}" for name in programs])
        print()
        quality(margins, y_test)


if __name__ == "__main__":
    main()
