#!/usr/bin/env python3
"""Holds `cip train`, `cip evaluate` and `cip score` to scikit-learn, and explanations to the plain algorithm.

    pip install scikit-learn pyarrow xxhash
    python3 scripts/check_scores.py target/release/cip TABLE --label COL [--columns a,b,c] [--id COL]

TABLE is a Parquet or CSV file. A model is trained on it, all of it is scored, and AUC, average precision, log loss and the
Brier score of `cip evaluate` are compared with scikit-learn's on the same scores; conversion and lift of the best-ranked
shares, of a budget, and its profit with a sort in numpy; the reliability table with `calibration_curve`; the bootstrap interval of
the AUC with one in numpy. The baselines are compared with scikit-learn's on the rows held out, without weights and with some (`sample_weight`). For every method scores are compared with
those of scikit-learn's calibration, fitted anew on the rows that are kept for it (xxhash tells which; without it that is left
out). Contributions of some rows are compared with Algorithm 2 of TreeSHAP, written out below, and all sums with the
margins. The same seed must give the same model bytes for one and two threads. Exit code 0 where all agree.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

try:
    import xxhash
except ImportError:
    xxhash = None

METHODS = ["platt", "isotonic", "beta", "none"]
HOLD_OUT, CALIBRATION, SEED = 0.2, 0.1, 7
BUDGET, COST, VALUE, RESAMPLES = 100, 1.0, 8.0, 200


def read(table: Path) -> pyarrow.Table:
    if table.read_bytes()[:4] == b"PAR1":
        return pyarrow.parquet.read_table(table)
    header = table.open(encoding="utf-8-sig").readline()
    delimiter = max([",", ";", "\t"], key=header.count)
    return pyarrow.csv.read_csv(table, parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter))


def number(value: object) -> float:
    """A value as cip reads it: what is null, or blanks alone, is unknown."""
    return np.nan if value is None or str(value).isspace() else float(value)


def places(ids: list) -> np.ndarray:
    """Where the hash of each id lies, 0 to 1."""
    def place(user) -> float:
        data = user.encode() if isinstance(user, str) else struct.pack("<q", user)
        return xxhash.xxh3_64_intdigest(data, seed=SEED) / 2**64

    return np.array([place(user) for user in ids])


def kept_to_calibrate(ids: list) -> np.ndarray:
    """Whether a row is one that the calibration is fitted on: by the hash of its id, or of its number."""
    found = places(ids)
    return (found >= HOLD_OUT) & (found < HOLD_OUT + CALIBRATION * (1 - HOLD_OUT))


def held_out(ids: list, values: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> dict:
    """AUC and log loss of baselines on the rows held out: scikit-learn's logistic regression of standardised values, and the share."""
    found = places(ids)
    test, train = found < HOLD_OUT, found >= HOLD_OUT + CALIBRATION * (1 - HOLD_OUT)
    rows = np.flatnonzero(train)
    share = np.average(labels[rows], weights=weights[rows])
    rows = rows if len(rows) <= 20_000 else rows[np.arange(20_000) * len(rows) // 20_000]
    known, weight = values[rows].astype(float), weights[rows] / weights[rows].mean()
    counted = weight[:, None] * ~np.isnan(known)
    mean = np.nansum(counted * known, axis=0) / counted.sum(axis=0)
    deviation = np.sqrt(np.nansum(counted * (known - mean) ** 2, axis=0) / counted.sum(axis=0))
    deviation[~(deviation > 0)] = 1

    def standardised(some: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.clip((some - mean) / deviation, -10, 10), nan=0.0)

    regression = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000)
    regression.fit(standardised(known), labels[rows], sample_weight=weight)
    scores = {"logistic": regression.decision_function(standardised(values[test].astype(float))),
              "constant": np.full(test.sum(), np.log(share / (1 - share)))}
    return {name: (roc_auc_score(labels[test], score, sample_weight=weights[test]),
                   log_loss(labels[test], logistic(score), sample_weight=weights[test])) for name, score in scores.items()}


def logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def calibrated(method: str, margin: np.ndarray, labels: np.ndarray, everybody: np.ndarray) -> np.ndarray:
    """Scores of everybody, calibrated by scikit-learn on rows with these margins and labels."""
    positives, negatives = labels.sum(), len(labels) - labels.sum()
    if method == "none" or min(positives, negatives) < 10:
        return logistic(everybody)
    if method == "isotonic":
        return IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(margin, labels).predict(everybody)

    def columns(values: np.ndarray) -> np.ndarray:
        if method == "platt":
            return values[:, None]
        return np.column_stack([-np.logaddexp(0, -values), np.logaddexp(0, values)])

    # Every row as a positive and as a negative one, weighted by Platt's target and what is left of it.
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    twice = np.vstack([columns(margin)] * 2)
    sides, weights = np.repeat([1, 0], len(labels)), np.r_[target, 1 - target]

    def fit(kept: list) -> tuple:
        fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        fitted.fit(twice[:, kept], sides, sample_weight=weights)
        loss = log_loss(sides, fitted.predict_proba(twice[:, kept])[:, 1], sample_weight=weights)
        return loss, fitted.predict_proba(columns(everybody)[:, kept])[:, 1], (fitted.coef_ >= 0).all()

    subsets = [[0]] if method == "platt" else [[0, 1], [0], [1]]
    ascending = [(loss, scores) for loss, scores, ascends in map(fit, subsets) if ascends]
    if not ascending:
        raise SystemExit("scikit-learn finds no curve that ascends")
    return min(ascending, key=lambda found: found[0])[1]


def shap(tree: list, row: np.ndarray) -> np.ndarray:
    """Algorithm 2 of Lundberg, Erion and Lee 2018 (arXiv 1802.03888), with the covers of the model file."""
    sums = np.zeros(len(row))

    def extend(path: list, zero: float, one: float, feature: int) -> list:
        path = [list(element) for element in path] + [[feature, zero, one, 1.0 if not path else 0.0]]
        length = len(path) - 1
        for i in reversed(range(length)):
            path[i + 1][3] += one * path[i][3] * (i + 1) / (length + 1)
            path[i][3] *= zero * (length - i) / (length + 1)
        return path

    def unwind(path: list, at: int) -> list:
        path = [list(element) for element in path]
        length, (_, zero, one, _) = len(path), path[at]
        after = path[-1][3]
        for j in reversed(range(length - 1)):
            if one != 0:
                before = path[j][3]
                path[j][3] = after * length / ((j + 1) * one)
                after = before - path[j][3] * zero * (length - 1 - j) / length
            else:
                path[j][3] *= length / (zero * (length - 1 - j))
        for j in range(at, length - 1):
            path[j][:3] = path[j + 1][:3]
        return path[:-1]

    def recurse(at: int, path: list, zero: float, one: float, feature: int) -> None:
        path, node = extend(path, zero, one, feature), tree[at]
        if "value" in node:
            for i in range(1, len(path)):
                weight = sum(element[3] for element in unwind(path, i))
                sums[path[i][0]] += weight * (path[i][2] - path[i][1]) * node["value"]
            return
        value, split = row[node["feature"]], node["feature"]
        left = node["missing_left"] if np.isnan(value) else value < node["threshold"]
        hot, cold = (node["left"], node["right"]) if left else (node["right"], node["left"])
        cover = {child: tree[child]["cover"] for child in (hot, cold)}
        seen = next((i for i, element in enumerate(path) if element[0] == split), None)
        before = (1.0, 1.0)
        if seen is not None:
            before, path = tuple(path[seen][1:3]), unwind(path, seen)
        for child, taken in ((hot, before[1]), (cold, 0.0)):
            recurse(child, path, before[0] * cover[child] / sum(cover.values()), taken, split)

    recurse(0, [], 1.0, 1.0, -1)
    return sums


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
    parser.add_argument("--id", help="the id column, where it is not user_id")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        def cip(*words: object) -> dict:
            command = [str(args.cip), *map(str, words), "--json"]
            return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

        models = [Path(folder) / f"model-{threads}.json" for threads in (1, 2)]
        columns = ["--columns", args.columns] if args.columns else []
        ids = ["--id", args.id] if args.id else []

        def train(out: Path, threads: int, method: str, table: Path = args.table, *more: object) -> dict:
            return cip("train", table, "--label", args.label, *columns, *ids, "--trees", 60, "--seed", SEED,
                "--hold-out", HOLD_OUT, "--calibration-share", CALIBRATION, "--calibration", method,
                "--out", out, "--threads", threads, *more)

        def score(model: Path, *more: object) -> pyarrow.Table:
            scores = Path(folder) / "scores.parquet"
            cip("score", args.table, "--model", model, *ids, "--out", scores, *more)
            return pyarrow.parquet.read_table(scores)

        for threads, model in zip((1, 2), models):
            trained = train(model, threads, "platt")
        ours = cip("evaluate", args.table, "--model", models[0], "--label", args.label, "--budget", BUDGET,
                   "--contact-cost", COST, "--value", VALUE, "--bootstrap", RESAMPLES)

        source, table = read(args.table), score(models[0], "--explain")
        labels = np.array(source[args.label].to_pylist(), dtype=int)
        margin, score_of = np.array(table["margin"]), np.array(table["score"])
        share, mean = calibration_curve(labels, score_of, n_bins=15)
        checks = [
            ("rows", ours["rows"], len(labels)),
            ("positives", ours["positives"], labels.sum()),
            ("auc", ours["auc"], roc_auc_score(labels, margin)),
            ("average_precision", ours["average_precision"], average_precision_score(labels, margin)),
            ("log_loss", ours["log_loss"], log_loss(labels, score_of)),
            ("brier", ours["brier"], brier_score_loss(labels, score_of)),
            ("log_loss, uncalibrated", ours["uncalibrated"]["log_loss"], log_loss(labels, logistic(margin))),
            ("brier, uncalibrated", ours["uncalibrated"]["brier"], brier_score_loss(labels, logistic(margin))),
            ("bins of the reliability table", len(ours["reliability"]), len(share)),
            ("reliability, mean score", np.abs([bin["mean_score"] for bin in ours["reliability"]] - mean).max(), 0),
            ("reliability, observed", np.abs([bin["observed"] for bin in ours["reliability"]] - share).max(), 0),
        ]
        for lift in ours["lift"]:
            top, expected = expected_lift(margin, labels, lift["fraction"])
            checks += [(f"rows of top {lift['fraction']:.0%}", lift["rows"], top),
                       (f"lift of top {lift['fraction']:.0%}", lift["lift"], expected)]
        top, expected = expected_lift(margin, labels, (BUDGET + 0.5) / len(labels))
        profit, worth = ours["profit"], score_of > COST / VALUE
        checks += [
            ("lift of a budget", ours["budget"]["lift"], expected),
            ("profit of a budget", profit["budget"]["profit"], VALUE * expected * labels.mean() * top - COST * top),
            ("rows that are worth it", profit["worthwhile"]["rows"], worth.sum()),
            ("profit of these, expected", profit["worthwhile"]["expected_profit"], (VALUE * score_of[worth] - COST).sum()),
            ("profit of these", profit["worthwhile"]["profit"], (VALUE * labels[worth] - COST).sum()),
        ]
        order = np.argsort(-margin, kind="stable")
        checks.append(("ranks", int((np.array(table["rank"])[order] == np.arange(1, len(labels) + 1)).sum()), len(labels)))
        checks.append(("same bytes on 1 and 2 threads", models[0].read_bytes() == models[1].read_bytes(), True))

        # Of curves scikit-learn's optimiser has fewer digits than of everything else.
        curves = []
        for method in METHODS if xxhash else []:
            path = Path(folder) / f"{method}.json"
            train(path, 2, method)
            found = score(path)
            id_column = args.id or ("user_id" if "user_id" in source.column_names else None)
            kept = kept_to_calibrate(source[id_column].to_pylist() if id_column else list(range(len(labels))))
            margins = np.array(found["margin"])
            expected = calibrated(method, margins[kept], labels[kept], margins)
            curves.append((f"{method}, on {kept.sum()} rows", np.abs(np.array(found["score"]) - expected).max(), 0))

        # Thresholds and covers are 32-bit, in as many digits as tell them apart.
        narrow = {"cover", "threshold"}
        model = json.loads(models[0].read_text(), object_pairs_hook=lambda pairs: {
            name: float(np.float32(value)) if name in narrow else value for name, value in pairs})
        values = np.column_stack([
            np.array([number(value) for value in source[name].to_pylist()], dtype=np.float32)
            for name in model["features"]
        ])
        added = np.column_stack([np.array(table[f"contribution_{name}"]) for name in model["features"]])
        some = np.linspace(0, len(labels) - 1, 5).astype(int)
        plain = np.array([sum(shap(tree, values[row]) for tree in model["trees"]) for row in some])
        checks.append(("contributions of 5 rows", np.abs(added[some] - plain).max(), 0))
        sums = np.array(table["base"]) + added.sum(axis=1)
        checks.append(("sums of contributions", np.abs(sums - margin).max(), 0))

        # What two programs draw, or stop at, is near and not equal.
        near = []
        if xxhash:
            id_column = args.id or ("user_id" if "user_id" in source.column_names else None)
            ids_of = source[id_column].to_pylist() if id_column else list(range(len(labels)))
            weights = 0.5 + np.arange(len(labels)) * 7 % 5
            weighted_table = Path(folder) / "weighted.parquet"
            pyarrow.parquet.write_table(source.append_column("row_weight", pyarrow.array(weights)), weighted_table)
            weighted = train(models[1], 2, "platt", weighted_table, "--weight", "row_weight")
            for found, what, counts in [(trained["baselines"], "", np.ones(len(labels))),
                                        (weighted["weighted_baselines"], ", by weight", weights)]:
                for name, (auc, loss) in held_out(ids_of, values, labels, counts).items():
                    near.append((f"AUC held out, {name}{what}", found[name]["auc"], auc))
                    near.append((f"log loss held out, {name}{what}", found[name]["log_loss"], loss))
        lots = np.random.default_rng(SEED).integers(len(labels), size=(RESAMPLES, len(labels)))
        drawn = [roc_auc_score(labels[lot], margin[lot]) for lot in lots]
        low, high = np.quantile(drawn, [0.025, 0.975])
        interval = ours["intervals"]["auc"]
        ends = [("AUC, lower end", interval["low"], low), ("AUC, upper end", interval["high"], high)]

        failed = 0
        print(f"{args.table.name}, {args.label}; scikit-learn {sklearn.__version__}")
        if not xxhash:
            print("  calibrations are not compared: pip install xxhash")
        compared = [(1e-9, check) for check in checks] + [(1e-6, check) for check in curves]
        compared += [(3e-3, check) for check in near] + [(1e-2, check) for check in ends]
        for within, (name, found, expected) in compared:
            agree = abs(float(found) - float(expected)) <= within * max(1.0, abs(float(expected)))
            failed += not agree
            print(f"  {name:40} {float(found):>18.9f}  {'agrees' if agree else f'DIFFERS: {float(expected):.12f}'}")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
