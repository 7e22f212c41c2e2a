#!/usr/bin/env python3
"""Runs cip and LightGBM side by side on one table of numbers, and prints a table in Markdown.

    pip install lightgbm polars scikit-learn
    cargo build --release
    python3 benches/trees.py target/release/cip [--rows 800000] [--runs 3]

Both grow 200 trees of 31 leaves from the same rows on one thread, then score and explain rows that they have not seen. Training is
the processor time of binning and boosting alone, on both sides. Scoring and explaining is the whole process of cip, with
reading and writing, and the call alone of LightGBM. The jobs take turns; the median of the runs is shown.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

TREES, LEAVES, RATE = 200, 31, 0.1


def table(rows: int, columns: int, folder: Path) -> tuple[Path, Path, Path]:
    """Writes the rows to learn from, the others, and some of those that are explained."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(1)
    x = random.normal(size=(rows, columns)).astype(np.float32)
    logit = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + np.sin(x[:, 3] * 2) - 3
    label = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.uint8)
    frame = pl.DataFrame({"user_id": np.arange(rows), **{f"f{i}": x[:, i] for i in range(columns)}, "label": label})
    learn = rows * 8 // 10
    parts = {"learn": frame[:learn], "test": frame[learn:], "some": frame[learn : learn + 20_000]}
    for name, part in parts.items():
        part.write_parquet(folder / f"{name}.parquet")
    return tuple(folder / f"{name}.parquet" for name in parts)


def cip(*command: object) -> tuple[dict, float]:
    """Runs the command; its JSON and its processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*map(str, command), "--threads", "1", "--json"], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return json.loads(done.stdout), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timed(call):
    before = time.process_time()
    return call(), time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--rows", type=int, default=800_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    import lightgbm
    import numpy as np
    import polars as pl
    from sklearn.metrics import roc_auc_score

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learn, test, some = table(args.rows, args.columns, folder)
        read = lambda path: pl.read_parquet(path).drop("user_id", "label").to_numpy()
        label = lambda path: pl.read_parquet(path)["label"].to_numpy()
        x, y, x_test, y_test, x_some = read(learn), label(learn), read(test), label(test), read(some)
        params = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": RATE, "num_threads": 1, "verbose": -1}
        model, scores, why = folder / "model.json", folder / "scores.parquet", folder / "why.parquet"
        grow = ["--trees", TREES, "--leaves", LEAVES, "--learning-rate", RATE]
        jobs: dict[str, tuple[list[float], list[float]]] = {job: ([], []) for job in ("train", "score", "explain")}
        for _ in range(args.runs):
            ours, theirs = jobs["train"]
            # A thousandth is held out, because something has to be; no rows are kept for a calibration.
            done, _ = cip(args.cip, "train", learn, "--label", "label", *grow, "--hold-out", 0.001, "--calibration",
                          "none", "--out", model)
            ours.append(done["fit_cpu_s"])
            booster, cpu = timed(lambda: lightgbm.train(params, lightgbm.Dataset(x, y, params={"verbose": -1}), TREES))
            theirs.append(cpu)
            ours, theirs = jobs["score"]
            ours.append(cip(args.cip, "score", test, "--model", model, "--out", scores)[1])
            predicted, cpu = timed(lambda: booster.predict(x_test, num_threads=1))
            theirs.append(cpu)
            ours, theirs = jobs["explain"]
            ours.append(cip(args.cip, "score", some, "--model", model, "--explain", "--out", why)[1])
            _, cpu = timed(lambda: booster.predict(x_some, pred_contrib=True, num_threads=1))
            theirs.append(cpu)
        rows = {"train": len(x), "score": len(x_test), "explain": len(x_some)}
        processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        print(f"{args.rows:,} rows of {args.columns} columns, {TREES} trees of {LEAVES} leaves; one thread of {processor}, "
              f"{platform.system()}; LightGBM {lightgbm.__version__}; median of {args.runs}\n")
        print("| job | rows | CPU s of cip | CPU s of LightGBM | times as fast |\n|---|---|---|---|---|")
        for job, times in jobs.items():
            ours, theirs = map(statistics.median, times)
            print(f"| {job} | {rows[job]:,} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} |")
        evaluated, _ = cip(args.cip, "evaluate", test, "--model", model, "--label", "label")
        top = np.argsort(-predicted, kind="stable")[: len(y_test) // 20]
        lift = y_test[top].mean() / y_test.mean()
        our_lift = next(row["lift"] for row in evaluated["lift"] if row["fraction"] == 0.05)
        print("\n| on rows not seen | cip | LightGBM |\n|---|---|---|")
        print(f"| AUC | {evaluated['auc']:.4f} | {roc_auc_score(y_test, predicted):.4f} |")
        print(f"| lift of the top 5% | {our_lift:.2f} | {lift:.2f} |")


if __name__ == "__main__":
    main()
