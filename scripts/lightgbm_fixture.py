#!/usr/bin/env python3
"""Writes the model of LightGBM that the tests of cip-propensity read, with what LightGBM makes of some rows.

    pip install lightgbm==4.7.0 numpy pandas
    python3 scripts/lightgbm_fixture.py crates/cip-propensity/tests/data

`lightgbm.txt` is the text of the model, its section of parameters left out; `lightgbm.json` has rows (a null is unknown, a text a category),
their raw scores, and their contributions with the expected value behind the last feature. Numbers are drawn from a seed, and exact in 32 bits.
"""

import json
import re
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

CITIES = ["Ulm", "Bath", "Oslo", "Nice", "Pisa", "Linz", "York", "Gent", "Brno", "Kiel", "Lodz", "Cork"]


def main() -> int:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    rng = np.random.default_rng(7)
    rows = 2_000
    views = rng.integers(0, 60, rows).astype(np.float32)
    spend = (rng.integers(0, 4_000, rows) * 0.37).astype(np.float32)
    spend[rng.random(rows) < 0.2] = np.nan
    city = rng.integers(0, len(CITIES), rows)
    zone = rng.integers(0, 40, rows)
    chance = 1 / (1 + np.exp(-(views / 20 + np.nan_to_num(spend, nan=-400) / 700 + (city % 3) + (zone % 5 == 1) - 4)))
    table = pd.DataFrame({
        "views": views,
        "city": pd.Categorical.from_codes(np.where(rng.random(rows) < 0.1, -1, city), CITIES),
        "spend": spend,
        "zone": pd.Categorical.from_codes(zone, list(range(100, 140))),
    })
    params = {"objective": "binary", "sigmoid": 1.5, "num_leaves": 12, "min_data_in_leaf": 5, "min_data_per_group": 10,
              "cat_smooth": 1, "verbose": -1, "num_threads": 1, "deterministic": True, "seed": 7}
    booster = lightgbm.train(params, lightgbm.Dataset(table, rng.random(rows) < chance), 12)
    text = booster.model_to_string()
    (folder / "lightgbm.txt").write_text(re.sub(r"\nparameters:.*?end of parameters\n", "\n", text, flags=re.DOTALL))

    # Behind them a city and a zone that were never there, and what is unknown of each.
    numbers = [[3.0, None], [None, 0.0], [30.0, -1.0]]
    texts = [["Rome", 100], [None, 999], ["Ulm", None]]
    codes = [[None, 0], [None, None], [0, None]]
    coded = table.iloc[:60].assign(city=lambda part: part.city.cat.codes, zone=lambda part: part.zone.cat.codes)
    matrix = coded.astype(float).replace({"city": {-1: np.nan}}).to_numpy().tolist()
    known = [[row[0], None if np.isnan(row[1]) else CITIES[int(row[1])], row[2], str(int(row[3]) + 100)] for row in matrix]
    known = [[None if isinstance(value, float) and np.isnan(value) else value for value in row] for row in known]
    for (views, spend), (city, zone), (city_code, zone_code) in zip(numbers, texts, codes):
        known.append([views, city, spend, None if zone is None else str(zone)])
        matrix.append([np.nan if value is None else value for value in (views, city_code, spend, zone_code)])
    # LightGBM knows the codes alone, and takes what is no category for unknown.
    as_trained = np.array(matrix, dtype=float)
    raw = booster.predict(as_trained, raw_score=True)
    contributions = booster.predict(as_trained, pred_contrib=True)
    document = {"lightgbm": lightgbm.__version__, "columns": list(table.columns), "rows": known, "raw": raw.tolist(),
                "contributions": contributions.tolist()}
    (folder / "lightgbm.json").write_text(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
