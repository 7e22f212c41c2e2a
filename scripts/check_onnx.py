#!/usr/bin/env python3
"""Holds the models of ONNX that `cip convert --to onnx` writes to what cip itself says, by onnxruntime and by the checker of onnx.

    pip install numpy pyarrow onnx onnxruntime
    python3 scripts/check_onnx.py target/release/cip

Rows are made from a seed, with unknown values, cities of which some are unknown or new, and flags. A model of each calibration is trained,
written and run. Margins must agree within 1e-5 and scores within 1e-6, which is what sums of 32 bits allow; of isotonic calibrations, whose
steep parts magnify what margins differ by, scores within 1e-4. Exit code 0 where all agree.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pyarrow
import pyarrow.parquet

NUMBERS = ["views", "carts", "spend"]
CITIES = [f"city {number}" for number in range(40)]


def main() -> int:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    rng = np.random.default_rng(7)
    rows = 6_000
    values = rng.integers(0, 60, size=(rows, 3)).astype(np.float32)
    values[:, 2] *= np.float32(1.37)
    values[rng.random(values.shape) < 0.1] = np.nan
    city = rng.integers(0, 42, rows)
    texts = [None if number == 41 else "rare" if number == 40 and row % 50 else CITIES[number % 40]
             for row, number in enumerate(city)]
    filled = np.nan_to_num(values, nan=20.0)
    margin = (filled[:, 0] + 2 * filled[:, 1] - filled[:, 2] - 40) / 20 + (city % 3)
    labels = rng.random(rows) < 1 / (1 + np.exp(-margin))
    failed, checks = 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns = {feature: pyarrow.array(values[:, at], from_pandas=True) for at, feature in enumerate(NUMBERS)}
        columns = {"city": pyarrow.array(texts), **columns, "bought": pyarrow.array(labels)}
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "table.parquet")

        def cip(*words: object) -> dict:
            command = [sys.argv[1], *map(str, words), "--json"]
            return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

        print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, {rows} rows")
        for calibration in ["none", "platt", "beta", "isotonic"]:
            for trees in [1, 60]:
                model = folder / "model.json"
                cip("train", folder / "table.parquet", "--label", "bought", "--trees", trees, "--calibration", calibration, "--out", model)
                cip("convert", model, "--to", "onnx", "--out", folder / "model.onnx")
                cip("score", folder / "table.parquet", "--model", model, "--out", folder / "scores.parquet")
                ours = pyarrow.parquet.read_table(folder / "scores.parquet")
                document = onnx.load(folder / "model.onnx")
                onnx.checker.check_model(document, full_check=True)
                told = {entry.key: entry.value for entry in document.metadata_props}
                names = json.loads(told["categories"])["city"]
                code = {text: number for number, text in enumerate(names)}
                codes = np.array([np.nan if text is None else code.get(text, len(names)) for text in texts], dtype=np.float32)
                assert json.loads(told["features"]) == ["city", *NUMBERS]
                session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
                found = session.run(["margin", "score"], {"features": np.column_stack([codes, values])})
                for what, theirs, allowed in [("margin", found[0], 1e-5), ("score", found[1], 1e-4 if calibration == "isotonic" else 1e-6)]:
                    apart = np.abs(np.array(ours[what]) - theirs[:, 0]).max()
                    checks += 1
                    failed += not apart < allowed
                    print(f"  {calibration:9} {trees:3} trees  {what:6} differs by {apart:.1e}  {'agrees' if apart < allowed else 'DIFFERS'}")
    print(f"{checks - failed} of {checks} comparisons agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
