#!/usr/bin/env python3
"""Runs the worked examples of docs/ on the public data, and holds their figures to stated bounds.

    pip install numpy pyarrow scikit-learn xxhash
    python3 scripts/check_examples.py target/release/cip "$CIP_DATA"

Each figure has the bounds that its page speaks of: what is published for the data, or what the page concludes. Exit code 0 where all figures are
within them.
"""

import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet
import xxhash
from sklearn.metrics import roc_auc_score

SLOWLY = ["--leaves", 8, "--learning-rate", 0.05, "--early-stopping", 20]


class Figures:
    """What was measured, with its bounds."""

    def __init__(self):
        self.outside = 0

    def hold(self, what: str, value: float, low: float, high: float) -> None:
        within = low <= value <= high
        self.outside += not within
        print(f"  {what:58} {value:10.4f}  {'within' if within else 'OUTSIDE'} {low:g} to {high:g}")


def main() -> int:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    program, data = sys.argv[1], Path(sys.argv[2])
    figures = Figures()

    def cip(*words: object) -> dict:
        command = [program, *map(str, words), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    with tempfile.TemporaryDirectory() as name:
        repeat_purchase(cip, data, Path(name), figures)
        online_shoppers(cip, data, Path(name), figures)
        telco_churn(cip, data, Path(name), figures)
        hillstrom(cip, data, Path(name), figures)
    print("all figures are within their bounds" if not figures.outside else f"{figures.outside} figures are not within their bounds")
    return 1 if figures.outside else 0


def lift(metrics: dict, fraction: float) -> float:
    return next(row["lift"] for row in metrics["lift"] if row["fraction"] == fraction)


def share(found: dict, feature: str) -> float:
    return next(of["share"] for of in found["importance"] if of["feature"] == feature)


def online_shoppers(cip, data: Path, folder: Path, figures: Figures) -> None:
    print("docs/online_shoppers.md")
    table = data / "online_shoppers_intention.csv"
    found = cip("train", table, "--label", "Revenue", *SLOWLY, "--out", folder / "shoppers.json")
    metrics = found["metrics"]
    # Between what is published for gradient boosting with and without oversampling, and the spread of the seeds.
    figures.hold("AUC", metrics["auc"], 0.922, 0.945)
    figures.hold("average precision", metrics["average_precision"], 0.71, 0.79)
    figures.hold("lift of the first 10%", lift(metrics, 0.1), 4.8, 5.5)
    figures.hold("AUC less that of logistic regression", metrics["auc"] - found["baselines"]["logistic"]["auc"], 0.03, 0.06)
    figures.hold("share of PageValues in the gain", share(found, "PageValues"), 0.5, 0.8)


def telco_churn(cip, data: Path, folder: Path, figures: Figures) -> None:
    print("docs/telco_churn.md")
    found = cip("train", data / "telco_churn.csv", "--label", "Churn", "--id", "customerID", *SLOWLY, "--out", folder / "churn.json")
    metrics = found["metrics"]
    figures.hold("AUC", metrics["auc"], 0.83, 0.865)
    figures.hold("lift of the first 10%", lift(metrics, 0.1), 2.6, 3.1)
    figures.hold("AUC less that of logistic regression", metrics["auc"] - found["baselines"]["logistic"]["auc"], -0.01, 0.01)
    figures.hold("share of Contract in the gain", share(found, "Contract"), 0.3, 0.6)


def repeat_purchase(cip, data: Path, folder: Path, figures: Figures) -> None:
    print("docs/repeat_purchase.md")
    store, features, values = folder / "cdnow", folder / "features.parquet", folder / "values.parquet"
    cip("ingest", data / "CDNOW_master.txt", "--mapping", "cdnow", "--out", store)
    cip("features", store, "--cutoff", "1997-10-01", "--label-until", "1998-07-01", "--out", features)
    found = cip("train", features, "--label", "label", *SLOWLY, "--out", folder / "repeat.json")
    figures.hold("AUC of the trees", found["metrics"]["auc"], 0.775, 0.79)
    figures.hold("AUC of the logistic baseline", found["baselines"]["logistic"]["auc"], 0.77, 0.79)
    figures.hold("AUC of recency alone", found["baselines"]["recency"]["auc"], 0.755, 0.775)
    figures.hold("lift of the first 5%", lift(found["metrics"], 0.05), 2.6, 3.2)

    cip("clv", store, "--model", "bgnbd", "--calibrate-until", "1997-10-01", "--horizon", 39, "--out", values)
    labels = dict(zip(*(pyarrow.parquet.read_table(features)[column].to_pylist() for column in ("user_id", "label"))))
    of_users = pyarrow.parquet.read_table(values)
    users = of_users["user_id"].to_pylist()
    # Those whom `cip train` holds out, as docs/propensity.md says.
    held_out = np.array([xxhash.xxh3_64_intdigest(struct.pack("<q", user), seed=7) / 2**64 < 0.2 for user in users])
    bought = np.array([labels[user] for user in users])[held_out]
    ranked_by = lambda column: roc_auc_score(bought, np.array(of_users[column])[held_out])
    figures.hold("users held out, of both", abs(held_out.sum() - found["held_out_rows"]), 0, 0)
    figures.hold("AUC of the purchases that BG/NBD expects", ranked_by("expected_purchases"), 0.765, 0.78)
    figures.hold("AUC of the chance to be alive of BG/NBD", ranked_by("p_alive"), 0.25, 0.35)

    cip("ingest", data / "CDNOW_sample.txt", "--mapping", "cdnow", "--out", folder / "sample")
    for model, published in (("bgnbd", 0.626), ("paretonbd", 0.630)):
        cip("clv", folder / "sample", "--model", model, "--calibrate-until", "1997-10-01", "--horizon", 39, "--out", values)
        of_users = pyarrow.parquet.read_table(values)
        correlation = np.corrcoef(of_users["expected_purchases"], of_users["holdout_frequency"])[0, 1]
        figures.hold(f"{model}: correlation with what 2,357 customers bought", correlation, published - 0.0005, published + 0.0005)


def hillstrom(cip, data: Path, folder: Path, figures: Figures) -> None:
    print("docs/uplift.md")
    found = cip("uplift", data / "hillstrom.csv", "--treatment", "segment", "--treated", "Womens E-Mail", "--control", "No E-Mail",
                "--outcome", "visit", "--exclude", "conversion,spend,history_segment,zip_code,channel", "--out", folder / "uplift.parquet")
    evaluation = found["evaluation"]
    figures.hold("average effect on visits, points", 100 * evaluation["average_effect"], 4.51, 4.54)
    figures.hold("Qini", evaluation["qini"], 0.04, 0.08)
    half = next(row for row in evaluation["top"] if row["fraction"] == 0.5)
    figures.hold("visits won by the first half", half["incremental"], 750, 850)


if __name__ == "__main__":
    sys.exit(main())
