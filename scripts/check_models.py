#!/usr/bin/env python3
"""Holds the model files that `cip convert` writes and reads to XGBoost.

    pip install numpy xgboost pyarrow
    python3 scripts/check_models.py target/release/cip

Rows are made from a seed, with unknown values. A model of cip is written as XGBoost's JSON and read by XGBoost; a model of XGBoost is
saved and read by cip, with a depth and with leaves, with and without a base score. Margins of all rows must agree within 1e-5 in 32 bits. Exit
code 0 where all agree.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import xgboost

NAMES = ["views", "carts", "recency_days", "spend"]


def main() -> int:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    rng = np.random.default_rng(7)
    values = rng.integers(0, 60, size=(4_000, 4)).astype(np.float32)
    values[:, 3] *= np.float32(1.37)
    values[rng.random(values.shape) < 0.1] = np.nan
    filled = np.nan_to_num(values, nan=20.0)
    labels = rng.random(len(values)) < 1 / (1 + np.exp(-(filled[:, 0] + 2 * filled[:, 1] - filled[:, 2] - 40) / 20))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "table.parquet"
        columns = {feature: pyarrow.array(values[:, at], from_pandas=True) for at, feature in enumerate(NAMES)}
        pyarrow.parquet.write_table(pyarrow.table({**columns, "bought": labels}), table)

        def cip(*words: object) -> dict:
            command = [sys.argv[1], *map(str, words), "--json"]
            return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

        def margins(model: Path) -> np.ndarray:
            out = folder / "scores.parquet"
            cip("score", table, "--model", model, "--out", out)
            return np.array(pyarrow.parquet.read_table(out)["margin"])

        data = xgboost.DMatrix(values, label=labels, feature_names=NAMES)
        checks = []

        cip("train", table, "--label", "bought", "--trees", 50, "--out", folder / "ours.json")
        cip("convert", folder / "ours.json", "--to", "xgboost", "--out", folder / "theirs.json")
        booster = xgboost.Booster(model_file=folder / "theirs.json")
        checks.append(("cip to XGBoost", margins(folder / "ours.json"), booster.predict(data, output_margin=True)))

        for what, params in {
            "a depth of 4": {"max_depth": 4},
            "31 leaves": {"grow_policy": "lossguide", "max_leaves": 31, "max_depth": 0},
            "a base score": {"base_score": 0.2},
            "pruned trees": {"gamma": 2.0, "tree_method": "exact"},
        }.items():
            booster = xgboost.train({"objective": "binary:logistic", **params}, data, num_boost_round=40)
            booster.save_model(folder / "saved.json")
            read = folder / "read.json"
            cip("convert", folder / "saved.json", "--to", "cip", "--label", "bought", "--out", read)
            checks.append((f"XGBoost to cip, {what}", margins(read), booster.predict(data, output_margin=True)))

        booster = xgboost.train({"objective": "reg:squarederror"}, data, num_boost_round=2)
        booster.save_model(folder / "saved.json")
        words = [sys.argv[1], "convert", folder / "saved.json", "--to", "cip", "--out", folder / "no.json"]
        refused = subprocess.run(words, capture_output=True, text=True)
        if refused.returncode != 1 or "reg:squarederror" not in refused.stderr:
            raise SystemExit(f"a model of another objective is not refused: {refused.stderr}")

    failed = 0
    print(f"XGBoost {xgboost.__version__}, {len(values)} rows")
    for what, ours, theirs in checks:
        apart = np.abs(ours - theirs).max()
        failed += not apart < 1e-5
        print(f"  {what:32} margins differ by {apart:.1e}  {'agrees' if apart < 1e-5 else 'DIFFERS'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
