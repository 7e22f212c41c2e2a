#!/usr/bin/env python3
"""Holds `cip abtest`, `cip power` and `cip srm` to SciPy and statsmodels.

    pip install numpy scipy pandas statsmodels
    python3 scripts/check_experiments.py target/release/cip [TABLE --variant COL --control NAME --outcome COL]

Without a table one is made up: two arms, numbers and successes, a covariate and segments. Effects, intervals, tests, the
adjustment by the covariate, corrections and margins of `cip abtest` are compared with SciPy's and statsmodels' on the same rows;
beliefs with integrals over SciPy's distributions; `cip power` with statsmodels' solvers, its boundaries with the multivariate
normal distribution; `cip srm` with SciPy's chi-square. Exit code 0 where all agree.
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
import statsmodels
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ttost_ind

ALPHA = 0.05


def made_up() -> pd.DataFrame:
    random = np.random.default_rng(7)
    n = 6_000
    treated, before = random.random(n) < 0.4, random.exponential(20, n)
    spend = before * random.uniform(0.5, 1.5, n) + treated * 1.5
    return pd.DataFrame({
        "arm": np.where(treated, "treatment", "control"),
        "spend": spend.round(3),
        "bought": (random.random(n) < np.where(treated, 0.13, 0.10)).astype(int),
        "before": before.round(3),
        "country": random.choice(["ee", "fi", "se"], n),
    })


def welch(arm: np.ndarray, control: np.ndarray) -> tuple:
    compared = CompareMeans(DescrStatsW(arm), DescrStatsW(control))
    return (*compared.ttest_ind(usevar="unequal")[:2], *compared.tconfint_diff(ALPHA, usevar="unequal"))


def of_means(cip, table: pd.DataFrame, path: Path, variant: str, control: str, outcome: str) -> list:
    """The checks of an outcome of numbers."""
    base = table.loc[table[variant] == control, outcome].to_numpy(float)
    names = [name for name in sorted(table[variant].unique()) if name != control]
    margin = float(base.std() / 4)
    shares = ",".join(f"{name}={(table[variant] == name).sum()}" for name in table[variant].unique())
    ours = cip("abtest", path, "--variant", variant, "--outcome", outcome, "--control", control, "--weights", shares,
               "--correction", "holm", "--non-inferiority", margin, "--equivalence", margin)
    adjusted = multipletests([welch(table.loc[table[variant] == name, outcome].to_numpy(float), base)[1]
                              for name in names], method="holm")[1]
    checks = []
    for found, name, expected_p in zip(ours["findings"], names, adjusted):
        arm = table.loc[table[variant] == name, outcome].to_numpy(float)
        _, p, low, high = welch(arm, base)
        effect = found["absolute"]
        ranks = stats.mannwhitneyu(arm, base, method="asymptotic")
        larger = CompareMeans(DescrStatsW(arm), DescrStatsW(base)).ttest_ind("larger", "unequal", value=-margin)[1]
        checks += [
            (f"{name}: effect", effect["effect"], arm.mean() - base.mean()),
            (f"{name}: p", effect["p_value"], p),
            (f"{name}: interval, low", effect["interval"]["low"], low),
            (f"{name}: interval, high", effect["interval"]["high"], high),
            (f"{name}: Holm", found["adjusted_p_value"], expected_p),
            (f"{name}: not worse", found["non_inferiority"]["p_value"], larger),
            (f"{name}: equivalent", found["equivalence"]["p_value"], ttost_ind(arm, base, -margin, margin, "unequal")[0]),
        ]
        if found["ranks"]:
            checks += [(f"{name}: U", found["ranks"]["u"], ranks.statistic),
                       (f"{name}: Mann-Whitney", found["ranks"]["p_value"], ranks.pvalue)]
    return checks


def of_the_covariate(cip, table: pd.DataFrame, path: Path) -> list:
    ours = cip("abtest", path, "--variant", "arm", "--outcome", "spend", "--covariate", "before", "--segment", "country",
               "--weights", "control=3,treatment=2")
    found = ours["findings"][0]
    groups = {name: rows for name, rows in table.groupby("arm")}
    centred = pd.concat([rows[["spend", "before"]] - rows[["spend", "before"]].mean() for rows in groups.values()])
    theta = (centred.spend * centred.before).sum() / (centred.before ** 2).sum()
    adjusted = table.spend - theta * (table.before - table.before.mean())
    treated = table.arm == "treatment"
    _, p, low, high = welch(adjusted[treated].to_numpy(), adjusted[~treated].to_numpy())
    checks = [
        ("CUPED: slope", ours["theta"], theta),
        ("CUPED: effect", found["absolute"]["effect"], adjusted[treated].mean() - adjusted[~treated].mean()),
        ("CUPED: p", found["absolute"]["p_value"], p),
        ("CUPED: interval, low", found["absolute"]["interval"]["low"], low),
        ("CUPED: interval, high", found["absolute"]["interval"]["high"], high),
    ]
    effects, variances = [], []
    for segment in sorted(table.country.unique()):
        inside = table.country == segment
        arm, base = adjusted[inside & treated], adjusted[inside & ~treated]
        effects.append(arm.mean() - base.mean())
        variances.append(arm.var() / len(arm) + base.var() / len(base))
    weights = 1 / np.array(variances)
    pooled = (weights * effects).sum() / weights.sum()
    q = (weights * (np.array(effects) - pooled) ** 2).sum()
    checks += [("segments: pooled", found["segments"]["pooled"], pooled),
               ("segments: Q", found["segments"]["q"]["statistic"], q),
               ("segments: p", found["segments"]["q"]["p_value"], stats.chi2.sf(q, len(effects) - 1))]
    return checks


def of_rates(cip, table: pd.DataFrame, path: Path) -> list:
    ours = cip("abtest", path, "--variant", "arm", "--outcome", "bought", "--bayesian", "--weights", "control=3,treatment=2")
    counts = table.groupby("arm").bought.agg(["sum", "count"])
    (x, m), (y, n) = counts.loc["control"], counts.loc["treatment"]
    rows = [[x, m - x], [y, n - y]]
    pearson, yates = (stats.chi2_contingency(rows, correction=correction) for correction in (False, True))
    a, b = stats.beta(x + 1, m - x + 1), stats.beta(y + 1, n - y + 1)
    inside = (a.ppf(1e-12), a.ppf(1 - 1e-12))
    wins = integrate.quad(lambda q: a.pdf(q) * b.sf(q), *inside, epsabs=1e-12)[0]
    belief = ours["findings"][0]["belief"]
    return [
        ("chi-square", ours["chi2"], pearson.statistic),
        ("p", ours["p_value"], pearson.pvalue),
        ("p, Yates", ours["p_value_yates"], yates.pvalue),
        ("Fisher", ours["findings"][0]["fisher_p_value"], stats.fisher_exact(rows).pvalue),
        ("sample ratio", ours["srm_p_value"], stats.chisquare([m, n], [(m + n) * 0.6, (m + n) * 0.4]).pvalue),
        ("chance to win", belief["chance_to_win"], wins),
        ("mean effect", belief["effect"], b.mean() - a.mean()),
    ]


def of_planning(cip) -> list:
    ours = cip("power", "--deviation", 3, "--effect", 0.4, "--power", 0.9)
    n = TTestIndPower().solve_power(0.4 / 3, power=0.9, alpha=ALPHA, alternative="two-sided")
    checks = [("units of means", ours["per_arm"], int(np.ceil(n)))]
    looks = cip("power", "--baseline", 0.1, "--effect", 0.01, "--design", "obrien-fleming", "--looks", 3)["looks"]
    # No statistic of the looks beyond its boundary: what is left of alpha at each.
    shares = np.array([1, 2, 3]) / 3
    correlation = np.sqrt(np.minimum.outer(shares, shares) / np.maximum.outer(shares, shares))
    for last in (1, 2, 3):
        ends = np.array([look["boundary"] for look in looks[:last]])
        inside = stats.multivariate_normal(cov=correlation[:last, :last], abseps=1e-10, releps=1e-10, maxpts=10_000_000)
        spent = 1 - inside.cdf(ends, lower_limit=-ends)
        checks.append((f"alpha spent at look {last}", looks[last - 1]["spent"], spent))
    ratio = cip("srm", "--counts", "a=5030,b=4970,c=1020", "--weights", "a=5,b=5,c=1")
    total = 11_020
    expected = stats.chisquare([5030, 4970, 1020], [total * 5 / 11, total * 5 / 11, total / 11])
    checks += [("srm, chi-square", ratio["chi2"], expected.statistic), ("srm, p", ratio["p_value"], expected.pvalue)]
    return checks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("--variant")
    parser.add_argument("--control")
    parser.add_argument("--outcome")
    args = parser.parse_args()

    def cip(*words: object) -> dict:
        command = [str(args.cip), *map(str, words), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    print(f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}")
    if args.table:
        checks = of_means(cip, pd.read_csv(args.table), args.table, args.variant, args.control, args.outcome)
    else:
        with tempfile.TemporaryDirectory() as folder:
            table, path = made_up(), Path(folder) / "units.csv"
            table.to_csv(path, index=False)
            checks = of_means(cip, table, path, "arm", "control", "spend")
            checks += of_the_covariate(cip, table, path) + of_rates(cip, table, path) + of_planning(cip)

    wrong = 0
    for what, found, expected in checks:
        agrees = abs(found - expected) <= 1e-6 * abs(expected) + 1e-9
        wrong += not agrees
        print(f"{'ok  ' if agrees else 'DIFF'} {what}: {found:.10g}, expected {expected:.10g}")
    print(f"{len(checks) - wrong} of {len(checks)} agree")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
