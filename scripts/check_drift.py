#!/usr/bin/env python3
"""Holds `cip drift` to SciPy, Evidently 0.1.50 and NannyML.

    pip install numpy scipy pandas nannyml statsmodels
    pip install --no-deps evidently==0.1.50.dev0
    python3 scripts/check_drift.py target/release/cip [REFERENCE CURRENT [--score COL] [--exclude COL,COL]]

Without tables two are made up: numbers with ties and without, missing values, texts, booleans and scores. Distances are compared with SciPy's
on the same values and in the bins that the command tells, the presets with the functions of Evidently and NannyML, and the estimated
performance with NannyML's area under the curve and with sums over all rows. Tables are CSV, with up to 65,536 different values a column.
Exit code 0 where all agree.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from evidently.analyzers.stattests import chisquare_stattest, jensenshannon, ks_stattest, wasserstein_distance_norm, z_stattest
from nannyml.drift.univariate.methods import FeatureType, MethodFactory
from nannyml.performance_estimation.confidence_based.metrics import estimate_roc_auc
from nannyml.thresholds import ConstantThreshold
from scipy import stats
from scipy.spatial import distance

TOLERANCE = 1e-9
THRESHOLD = 0.5


def made_up(rows: int, seed: int, shift: float) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({
        "user_id": np.arange(rows),
        "spend": np.where(random.random(rows) < 0.1 + shift, np.nan, random.lognormal(3 + shift, 1, rows)),
        "visits": random.poisson(30 * (1 + shift), rows),
        "stars": random.integers(1, 5, rows) + (random.random(rows) < shift),
        "plan": random.choice(["basic", "plus", "family"], rows, p=[0.5 - shift, 0.3, 0.2 + shift]),
        "member": random.random(rows) < 0.2 + shift,
        "score": random.beta(2, 6, rows).round(6),
    })


def close(found, expected, tolerance=TOLERANCE) -> bool:
    return abs(found - expected) <= tolerance * max(abs(found), abs(expected)) + 1e-12


def of_distances(feature: dict, reference: pd.Series, current: pd.Series) -> list:
    name, found = feature["name"], feature["distances"]
    r, c = (np.array([bin[side] for bin in feature["bins"]], float) for side in ("reference", "current"))
    p, q = r / r.sum(), c / c.sum()
    contingency = stats.chi2_contingency([r, c], correction=False)
    filled_p, filled_q = np.maximum(r, 0.5) / r.sum(), np.maximum(c, 0.5) / c.sum()
    rows = 1 / r.sum() + 1 / c.sum()
    psi = ((filled_q - filled_p) * np.log(filled_q / filled_p)).sum()
    checks = [
        (f"{name}: PSI", found["psi"], psi),
        (f"{name}: PSI, p", found["psi_p_value"], stats.chi2.sf(psi / rows, len(r) - 1)),
        (f"{name}: PSI, threshold", found["psi_threshold"], stats.chi2.isf(0.05, len(r) - 1) * rows),
        (f"{name}: Jensen-Shannon", found["jensen_shannon"], distance.jensenshannon(p, q, base=2)),
        (f"{name}: Hellinger", found["hellinger"], np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)),
        (f"{name}: chi-square", found["chi_square"], contingency.statistic),
        (f"{name}: chi-square, p", found["chi_square_p_value"], contingency.pvalue),
    ]
    if feature["kind"] == "number":
        x, y = reference.dropna().to_numpy(float), current.dropna().to_numpy(float)
        ks = stats.ks_2samp(x, y)
        # SciPy's own limit is an approximation as well.
        limit = 2e-3 if max(len(x), len(y)) > 10_000 else 1e-7
        checks += [
            (f"{name}: Kolmogorov-Smirnov", found["kolmogorov_smirnov"], ks.statistic),
            (f"{name}: Kolmogorov-Smirnov, p", found["kolmogorov_smirnov_p_value"], ks.pvalue, limit),
            (f"{name}: Wasserstein", found["wasserstein"], stats.wasserstein_distance(x, y)),
            (f"{name}: Wasserstein, normed", found["wasserstein_normed"], stats.wasserstein_distance(x, y) / np.std(x)),
        ]
    return checks


def of_evidently(feature: dict, reference: pd.Series, current: pd.Series) -> tuple:
    number = feature["kind"] == "number"
    reference, current = reference.dropna(), current.dropna()
    function = {
        "kolmogorov_smirnov": ks_stattest._ks_stat_test,
        "chi_square": chisquare_stattest._chi_stat_test,
        "z": z_stattest._z_stat_test,
        "wasserstein_normed": wasserstein_distance_norm._wasserstein_distance_norm,
        "jensen_shannon": jensenshannon._jensenshannon,
    }[feature["tests"][0]["statistic"]]
    # Numbers of few values are categories.
    value, drifted = function(reference, current, "num" if number and "wasserstein" in function.__name__ else "cat", 0.05
                              if feature["tests"][0]["p_value"] is not None else 0.1)
    test = feature["tests"][0]
    found = test["value"] if test["p_value"] is None else test["p_value"]
    return (f"{feature['name']}: Evidently, {test['statistic']}", found, float(value), 1e-7), bool(drifted)


def of_nannyml(feature: dict, reference: pd.Series, current: pd.Series) -> list:
    kind = FeatureType.CONTINUOUS if feature["kind"] == "number" else FeatureType.CATEGORICAL
    checks = []
    for test in feature["tests"]:
        method = MethodFactory.registry[test["statistic"]][kind](chunker=None, threshold=ConstantThreshold(upper=0.1))
        method._fit(reference)
        expected = method._calculate(current)
        checks.append((f"{feature['name']}: NannyML, {test['statistic']}", test["value"], float(expected)))
    return checks


def of_performance(found: dict, scores: pd.Series, table: str) -> list:
    p = scores.to_numpy(float)
    positive = p >= THRESHOLD
    tp, fp, fn = p[positive].sum(), (1 - p[positive]).sum(), p[~positive].sum()
    entropy = -np.nan_to_num(p * np.log(p)) - np.nan_to_num((1 - p) * np.log(1 - p))
    return [
        # NannyML rounds its sums to five digits, and takes ties in the order in which they come.
        (f"{table}: AUC", found["roc_auc"], estimate_roc_auc(p, p), 1e-4),
        (f"{table}: accuracy", found["accuracy"], (tp + (1 - p[~positive]).sum()) / len(p)),
        (f"{table}: F1", found["f1"], 2 * tp / (2 * tp + fp + fn)),
        (f"{table}: log loss", found["log_loss"], entropy.mean()),
        (f"{table}: Brier", found["brier"], (p * (1 - p)).mean()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip")
    parser.add_argument("tables", nargs="*", type=Path)
    parser.add_argument("--score")
    parser.add_argument("--exclude")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = [(args.tables, args.score)] if args.tables else []
        if not cases:
            for rows, others in [(900, 700), (4_000, 3_000), (20_000, 15_000)]:
                paths = [Path(folder) / f"{name}{rows}.csv" for name in ("reference", "current")]
                made_up(rows, 1, 0).to_csv(paths[0], index=False)
                made_up(others, 2, 0.02).to_csv(paths[1], index=False)
                cases.append((paths, "score"))
        checks, agreed = [], 0
        for paths, score in cases:
            reference, current = (pd.read_csv(path) for path in paths)
            for preset in ("cip", "evidently", "nannyml"):
                command = [args.cip, "drift", *paths, "--preset", preset, "--json"]
                command += ["--score", score] if score else []
                command += ["--exclude", args.exclude] if args.exclude else []
                found = json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout)
                for feature in found["features"]:
                    if feature["distances"] is None:
                        continue
                    pair = reference[feature["name"]], current[feature["name"]]
                    if preset == "cip":
                        checks += of_distances(feature, *pair)
                    elif preset == "evidently":
                        check, drifted = of_evidently(feature, *pair)
                        checks += [check, (f"{feature['name']}: Evidently's verdict", feature["verdict"] == "large", drifted)]
                    else:
                        checks += of_nannyml(feature, *pair)
                if preset == "cip" and found["performance"]:
                    for table, rows in (("reference", reference), ("current", current)):
                        checks += of_performance(found["performance"][table], rows[score], table)
        for what, ours, theirs, *tolerance in checks:
            if close(ours, theirs, *tolerance):
                agreed += 1
            else:
                print(f"{what}: {ours}, expected {theirs}")
    print(f"{agreed} of {len(checks)} figures agree with SciPy {scipy.__version__}, Evidently 0.1.50.dev0 and NannyML")
    return 0 if agreed == len(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
