#!/usr/bin/env python3
"""Holds `cip train`, `cip evaluate` and `cip score` to scikit-learn.

    pip install scikit-learn pyarrow
    python3 scripts/check_scores.py target/release/cip TABLE --label COL [--columns a,b,c]

TABLE is a Parquet or CSV file. A model is trained on it, all of it is scored, and AUC, average precision, log loss and the
Brier score of `cip evaluate` are compared with scikit-learn's on the same scores; conversion and lift of the best-ranked
shares with a sort in numpy. The same seed must give the same model bytes for one and two threads. Exit code 0 where all
agree.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import sklearn
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score


def read_labels(table: Path, column: str) -> np.ndarray:
    if table.read_bytes()[:4] == b"PAR1":
        found = pyarrow.parquet.read_table(table, columns=[column])
    else:
        header = table.open(encoding="utf-8-sig").readline()
        delimiter = max([",", ";", "\t"], key=header.count)
        found = pyarrow.csv.read_csv(table, parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter))
    return np.array(found[column].to_pylist(), dtype=int)


def expected_lift(ranking: np.ndarray, labels: np.ndarray, fraction: float) -> tuple[int, float]:
    """The rows of the top and their lift; rows that tie at its end have equal chances to be in it."""
    top = max(1, int(len(labels) * fraction))
    last = np.sort(ranking)[::-1][top - 1]
    above, tied = ranking > last, ranking == last
    found = labels[above].sum() + (top - above.sum()) * labels[tied].mean()
    return top, found / top / labels.mean()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--columns")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        def cip(*words: object) -> dict:
            command = [str(args.cip), *map(str, words), "--json"]
            return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

        models = [Path(folder) / f"model-{threads}.json" for threads in (1, 2)]
        columns = ["--columns", args.columns] if args.columns else []
        for threads, model in zip((1, 2), models):
            cip("train", args.table, "--label", args.label, *columns, "--trees", 60, "--out", model, "--threads", threads)
        scores = Path(folder) / "scores.parquet"
        cip("score", args.table, "--model", models[0], "--out", scores)
        ours = cip("evaluate", args.table, "--model", models[0], "--label", args.label)

        labels = read_labels(args.table, args.label)
        table = pyarrow.parquet.read_table(scores)
        margin, score = np.array(table["margin"]), np.array(table["score"])
        checks = [
            ("rows", ours["rows"], len(labels)),
            ("positives", ours["positives"], labels.sum()),
            ("auc", ours["auc"], roc_auc_score(labels, margin)),
            ("average_precision", ours["average_precision"], average_precision_score(labels, margin)),
            ("log_loss", ours["log_loss"], log_loss(labels, score)),
            ("brier", ours["brier"], brier_score_loss(labels, score)),
        ]
        for lift in ours["lift"]:
            top, expected = expected_lift(margin, labels, lift["fraction"])
            checks += [(f"rows of top {lift['fraction']:.0%}", lift["rows"], top),
                       (f"lift of top {lift['fraction']:.0%}", lift["lift"], expected)]
        order = np.argsort(-margin, kind="stable")
        checks.append(("ranks", int((np.array(table["rank"])[order] == np.arange(1, len(labels) + 1)).sum()), len(labels)))
        checks.append(("same bytes on 1 and 2 threads", models[0].read_bytes() == models[1].read_bytes(), True))

        failed = 0
        print(f"{args.table.name}, {args.label}; scikit-learn {sklearn.__version__}")
        for name, found, expected in checks:
            agree = abs(float(found) - float(expected)) <= 1e-9 * max(1.0, abs(float(expected)))
            failed += not agree
            print(f"  {name:30} {float(found):>18.9f}  {'agrees' if agree else f'DIFFERS: {float(expected):.12f}'}")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
