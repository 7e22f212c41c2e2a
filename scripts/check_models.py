#!/usr/bin/env python3
"""Holds the model files that `cip convert` writes and reads to XGBoost and LightGBM.

    pip install numpy pandas xgboost lightgbm pyarrow
    python3 scripts/check_models.py target/release/cip

Rows are made from a seed, with unknown values, and with cities. A model of cip is written as XGBoost's JSON and read by XGBoost; a model of XGBoost
is saved and read by cip, with a depth and with leaves, with and without a base score. Margins of all rows must agree within 1e-5 in 32 bits.
Models of LightGBM are saved and read by cip: margins and contributions must agree within 1e-12. Exit code 0 where all agree.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import xgboost

NAMES = ["views", "carts", "recency_days", "spend"]
CITIES = ["Ulm", "Bath", "Oslo", "Nice", "Pisa", "Linz", "York", "Gent", "Brno", "Kiel", "Lodz", "Cork"]


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

        def margins(model: Path, of: Path = table) -> np.ndarray:
            out = folder / "scores.parquet"
            cip("score", of, "--model", model, "--out", out)
            return np.array(pyarrow.parquet.read_table(out)["margin"])

        def contributions(model: Path, of: Path) -> np.ndarray:
            out = folder / "explained.parquet"
            cip("score", of, "--model", model, "--explain", "--out", out)
            found = pyarrow.parquet.read_table(out)
            names = [name for name in found.column_names if name.startswith("contribution_")]
            return np.column_stack([np.array(found[name]) for name in [*names, "base"]])

        data = xgboost.DMatrix(values, label=labels, feature_names=NAMES)
        checks = []

        cip("train", table, "--label", "bought", "--trees", 50, "--out", folder / "ours.json")
        cip("convert", folder / "ours.json", "--to", "xgboost", "--out", folder / "theirs.json")
        booster = xgboost.Booster(model_file=folder / "theirs.json")
        checks.append(("cip to XGBoost", margins(folder / "ours.json"), booster.predict(data, output_margin=True), 1e-5))

        # With a city each, of which some are unknown; text in the table, codes for XGBoost.
        with_city = folder / "city.parquet"
        codes = np.where(rng.random(len(values)) < 0.1, -1, rng.integers(0, len(CITIES), len(values)))
        frame = pandas.DataFrame({**columns, "city": pandas.Categorical.from_codes(codes, CITIES)})
        outcome = rng.random(len(values)) < np.where(labels, 0.5, 0.1) + 0.4 * (codes % 2)
        pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame.assign(bought=outcome)), with_city)
        trained = cip("train", with_city, "--label", "bought", "--trees", 50, "--out", folder / "ours.json")
        cip("convert", folder / "ours.json", "--to", "xgboost", "--out", folder / "theirs.json")
        booster = xgboost.Booster(model_file=folder / "theirs.json")
        order = {city: code for code, city in enumerate(trained["categories"]["city"])}
        own_codes = np.array([np.nan if code < 0 else order[CITIES[code]] for code in codes], dtype=np.float32)
        coded = xgboost.DMatrix(np.column_stack([values, own_codes]), feature_names=[*NAMES, "city"],
                                feature_types=["float"] * 4 + ["c"], enable_categorical=True)
        theirs = booster.predict(coded, output_margin=True)
        checks.append(("cip to XGBoost, categories", margins(folder / "ours.json", with_city), theirs, 1e-5))

        for what, params in {
            "31 leaves": {},
            "NaN taken for 0": {"use_missing": False},
            "a sigmoid of 2": {"sigmoid": 2.0},
            "dart": {"boosting": "dart"},
            "cross entropy": {"objective": "cross_entropy"},
            "one split": {"num_leaves": 2},
            "nothing to split": {"min_data_in_leaf": 10**6},
        }.items():
            params = {"objective": "binary", "verbose": -1, "min_data_per_group": 20, **params}
            booster = lightgbm.train(params, lightgbm.Dataset(frame, outcome.astype(float)), num_boost_round=30)
            booster.save_model(folder / "saved.txt")
            read = folder / "read.json"
            cip("convert", folder / "saved.txt", "--to", "cip", "--label", "bought", "--out", read)
            factor = params.get("sigmoid", 1.0)
            raw = factor * booster.predict(frame, raw_score=True)
            checks.append((f"LightGBM to cip, {what}", margins(read, with_city), raw, 1e-12))
            shares = factor * booster.predict(frame, pred_contrib=True)
            checks.append(("  its contributions", contributions(read, with_city), shares, 1e-12))

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
            theirs = booster.predict(data, output_margin=True)
            checks.append((f"XGBoost to cip, {what}", margins(read), theirs, 1e-5))

        # Trained on codes, which are the names of the categories here.
        coded = xgboost.DMatrix(np.column_stack([values, np.where(codes < 0, np.nan, codes)]), label=outcome,
                                feature_names=[*NAMES, "city"], feature_types=["float"] * 4 + ["c"], enable_categorical=True)
        booster = xgboost.train({"objective": "binary:logistic", "max_cat_to_onehot": 3}, coded, num_boost_round=40)
        booster.save_model(folder / "saved.json")
        with_code, read = folder / "code.parquet", folder / "read.json"
        code = pyarrow.array([None if code < 0 else int(code) for code in codes])
        pyarrow.parquet.write_table(pyarrow.table({**columns, "city": code}), with_code)
        cip("convert", folder / "saved.json", "--to", "cip", "--out", read)
        theirs = booster.predict(coded, output_margin=True)
        checks.append(("XGBoost to cip, categories", margins(read, with_code), theirs, 1e-5))

        # Trained on names, of texts and of numbers, which stand in the model.
        named = frame.assign(zone=pandas.Categorical.from_codes(np.abs(codes) % 5, [30, 10, 20, -5, 7]))
        params = {"objective": "binary:logistic", "max_cat_to_onehot": 3}
        booster = xgboost.train(params, xgboost.DMatrix(named, label=outcome, enable_categorical=True), num_boost_round=40)
        booster.save_model(folder / "saved.json")
        saved = json.loads((folder / "saved.json").read_text())
        if saved["learner"]["gradient_booster"]["model"].get("cats", {}).get("enc"):
            with_zone = folder / "zone.parquet"
            zones = pandas.Series(named["zone"]).astype("int64")
            pyarrow.parquet.write_table(pyarrow.Table.from_pandas(named.assign(zone=zones, bought=outcome)), with_zone)
            cip("convert", folder / "saved.json", "--to", "cip", "--out", read)
            theirs = booster.predict(xgboost.DMatrix(named, enable_categorical=True), output_margin=True)
            checks.append(("XGBoost to cip, named categories", margins(read, with_zone), theirs, 1e-5))
        else:
            print("this XGBoost writes no names of categories: they are not compared")

        booster = xgboost.train({"objective": "reg:squarederror"}, data, num_boost_round=2)
        booster.save_model(folder / "saved.json")
        words = [sys.argv[1], "convert", folder / "saved.json", "--to", "cip", "--out", folder / "no.json"]
        refused = subprocess.run(words, capture_output=True, text=True)
        if refused.returncode != 1 or "reg:squarederror" not in refused.stderr:
            raise SystemExit(f"a model of another objective is not refused: {refused.stderr}")

        booster = lightgbm.train({"objective": "regression", "verbose": -1}, lightgbm.Dataset(frame, outcome), 2)
        booster.save_model(folder / "saved.txt")
        words = [sys.argv[1], "convert", folder / "saved.txt", "--to", "cip", "--out", folder / "no.json"]
        refused = subprocess.run(words, capture_output=True, text=True)
        if refused.returncode != 1 or "objective is `regression`" not in refused.stderr:
            raise SystemExit(f"a model of another objective is not refused: {refused.stderr}")

    failed = 0
    print(f"XGBoost {xgboost.__version__}, LightGBM {lightgbm.__version__}, {len(values)} rows")
    for what, ours, theirs, allowed in checks:
        apart = np.abs(ours - theirs).max()
        failed += not apart < allowed
        print(f"  {what:34} differs by {apart:.1e}  {'agrees' if apart < allowed else 'DIFFERS'}")
    print(f"{len(checks) - failed} of {len(checks)} comparisons agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
