#!/usr/bin/env python3
"""Writes the model of XGBoost with named categories that the tests of cip-propensity read, with what XGBoost makes of some rows.

    pip install xgboost==3.2.0 numpy pandas
    python3 scripts/xgboost_fixture.py crates/cip-propensity/tests/data

`xgboost.json` is the model as XGBoost saves it; `xgboost_rows.json` has rows (a null is unknown, a text a category) and their margins.
Numbers are drawn from a seed, and exact in 32 bits.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

# In an order that is none of theirs, one of nobody. (XGBoost 3.2 counts letters where it should count bytes: no name beyond ASCII comes out whole.)
PLANS = ["two years", "none", "", "a, b", "one year", "nobody's"]
ZONES = [30, 10, 20, -5, 7]


def main() -> int:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    rng = np.random.default_rng(7)
    rows = 1_000
    views = rng.integers(0, 40, rows).astype(np.float32)
    views[rng.random(rows) < 0.1] = np.nan
    plan, zone = rng.integers(0, len(PLANS) - 1, rows), rng.integers(0, len(ZONES), rows)
    table = pd.DataFrame({
        "plan": pd.Categorical.from_codes(np.where(rng.random(rows) < 0.1, -1, plan), PLANS),
        "views": views,
        "zone": pd.Categorical.from_codes(zone, ZONES),
    })
    outcome = rng.random(rows) < 0.1 + 0.4 * (plan % 2) + 0.3 * (zone == 1) * (np.nan_to_num(views) > 20)
    data = xgboost.DMatrix(table, label=outcome, enable_categorical=True)
    params = {"objective": "binary:logistic", "max_depth": 3, "max_cat_to_onehot": 2, "nthread": 1, "seed": 7}
    booster = xgboost.train(params, data, 4)
    booster.save_model(folder / "xgboost.json")

    some = table.iloc[:60]
    margins = booster.predict(xgboost.DMatrix(some, enable_categorical=True), output_margin=True)
    known = [[None if pd.isna(value) else value for value in row] for row in some.astype(object).to_numpy().tolist()]
    document = {"columns": list(table.columns), "rows": known, "margins": [float(margin) for margin in margins]}
    (folder / "xgboost_rows.json").write_text(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
