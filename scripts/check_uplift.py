#!/usr/bin/env python3
"""Holds the evaluation of `cip uplift` to scikit-uplift.

    pip install numpy pandas pyarrow scikit-uplift
    python3 scripts/check_uplift.py target/release/cip [hillstrom.csv]

Without a table one is made up, with three arms, of which one moves some. With Hillstrom's, both letters are compared with none. The
command learns, writes the uplift of every row, and evaluates it; scikit-uplift evaluates the same rows. Of amounts, which scikit-uplift refuses,
curves are computed here by their definition. The model file scores the same table once more. Exit code 0 where all agree.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklift
from sklift.metrics import qini_auc_score, qini_curve, uplift_auc_score

TOLERANCE = 1e-9
TEXTS = "conversion,spend,history_segment,zip_code,channel"


def made_up() -> pd.DataFrame:
    random = np.random.default_rng(7)
    rows = 6_000
    arm = random.choice(["none", "men", "women"], rows)
    recency = random.integers(0, 12, rows)
    moved = (arm == "men") & (recency < 4) & (random.random(rows) < 0.6)
    visit = (moved | (random.random(rows) < 0.15)).astype(int)
    return pd.DataFrame({"recency": recency, "spend": random.integers(0, 500, rows), "arm": arm, "visit": visit})


def checks_of(cip: str, path: Path, table: pd.DataFrame, arms: tuple, treatment: str, exclude: list, method: str) -> list:
    treated, control = arms
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "uplift.parquet"
        command = [cip, "uplift", path, "--treatment", treatment, "--treated", treated, "--control", control,
                   "--outcome", "visit", "--method", method, *exclude, "--out", out, "--json"]
        found = json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout)
        uplift = pd.read_parquet(out)
    rows = table.iloc[uplift["row"]]
    y, t, u = rows["visit"].to_numpy(), (rows[treatment] == treated).to_numpy().astype(int), uplift["uplift"].to_numpy()
    assert set(rows[treatment]) == {treated, control} and len(rows) == table[treatment].isin(arms).sum()
    ours = found["evaluation"]
    x, curve = qini_curve(y, u, t)
    area = (np.trapezoid(curve, x) - len(y) * curve[-1] / 2) / len(y)
    name = f"{treated}, {method}"
    checks = [
        (f"{name}: Qini", ours["qini"], qini_auc_score(y, u, t)),
        (f"{name}: Qini's area", ours["qini_area"], area),
        (f"{name}: AUUC", ours["auuc"], uplift_auc_score(y, u, t)),
        (f"{name}: effect", ours["average_effect"], y[t == 1].mean() - y[t == 0].mean()),
    ]
    # scikit-uplift's uplift_at_k rounds the number of rows down: a count by hand.
    order = uplift["rank"].to_numpy().argsort()
    for top in ours["top"]:
        chosen = order[:top["rows"]]
        rates = [y[chosen][t[chosen] == arm].mean() for arm in (1, 0)]
        checks.append((f"{name}: top {top['fraction']}", top["uplift"], rates[0] - rates[1]))
    return checks


def amounts_of(cip: str, path: Path, table: pd.DataFrame, arms: tuple, treatment: str, exclude: list, method: str) -> list:
    """Figures of amounts by their definition, and what the model file says of the whole table."""
    treated, control = arms
    with tempfile.TemporaryDirectory() as folder:
        out, model, again = (Path(folder) / name for name in ("uplift.parquet", "uplift.json", "again.parquet"))
        command = [cip, "uplift", path, "--treatment", treatment, "--treated", treated, "--control", control,
                   "--amount", "spend", "--method", method, *exclude, "--out", out, "--model-out", model, "--json"]
        found = json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout)
        subprocess.run([str(word) for word in [cip, "score", path, "--model", model, "--out", again]], check=True, capture_output=True)
        uplift, scored = pd.read_parquet(out), pd.read_parquet(again)
    rows = table.iloc[uplift["row"]]
    y, t, u = rows["spend"].to_numpy(float), (rows[treatment] == treated).to_numpy().astype(int), uplift["uplift"].to_numpy()
    ours, name = found["evaluation"], f"{treated}, {method}, amounts"
    order = (-u).argsort(kind="stable")
    last = np.append(np.flatnonzero(np.diff(u[order])), len(u) - 1)
    sums = {arm: np.cumsum(np.where(t[order] == arm, y[order], 0))[last] for arm in (0, 1)}
    counts = {arm: np.cumsum(t[order] == arm)[last].astype(float) for arm in (0, 1)}
    share = lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b > 0)
    curves = {"Qini's area": sums[1] - share(sums[0] * counts[1], counts[0]),
              "AUUC's area": (share(sums[1], counts[1]) - share(sums[0], counts[0])) * (counts[0] + counts[1])}
    checks = []
    for what, curve in curves.items():
        x, curve = np.append(0, last + 1), np.append(0, curve)
        area = (np.trapezoid(curve, x) - len(y) * curve[-1] / 2) / len(y)
        checks.append((f"{name}: {what}", ours["qini_area" if what.startswith("Q") else "auuc_area"], area))
    error = np.sqrt(sum(y[t == arm].var() / (t == arm).sum() for arm in (0, 1)))
    checks += [(f"{name}: effect", ours["average_effect"], y[t == 1].mean() - y[t == 0].mean()),
               (f"{name}: its error", ours["standard_error"], error)]
    assert len(scored) == len(table) and scored["uplift"].notna().all()
    return checks


def main() -> int:
    warnings.filterwarnings("ignore", category=FutureWarning)
    cip, checks = sys.argv[1], []
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 2:
            path, treatment, exclude = Path(sys.argv[2]), "segment", ["--exclude", TEXTS]
            arms = [("Mens E-Mail", "No E-Mail"), ("Womens E-Mail", "No E-Mail")]
        else:
            path, treatment, exclude = Path(folder) / "letters.csv", "arm", []
            made_up().to_csv(path, index=False)
            arms = [("men", "none"), ("women", "none")]
        table = pd.read_csv(path)
        for pair in arms:
            for method in ("two-model", "transformed-outcome"):
                checks += checks_of(cip, path, table, pair, treatment, exclude, method)
                checks += amounts_of(cip, path, table, pair, treatment, [word.replace("spend", "visit") for word in exclude], method)
    wrong = [check for check in checks if not abs(check[1] - check[2]) <= TOLERANCE * max(1, abs(check[2]))]
    for what, ours, theirs in wrong:
        print(f"{what}: {ours}, expected {theirs}")
    print(f"{len(checks) - len(wrong)} of {len(checks)} figures agree with scikit-uplift {sklift.__version__}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
