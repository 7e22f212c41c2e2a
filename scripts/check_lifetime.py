#!/usr/bin/env python3
"""Holds `cip clv` to the Python package `lifetimes` and to scipy, and prints the estimates and the times of both.

    pip install lifetimes scipy mpmath pandas pyarrow
    python3 scripts/check_lifetime.py target/release/cip CDNOW_sample.txt

The purchases of the CDNOW sample (Fader and Hardie) up to 30 September 1997 become a summary of customers, in weeks and
dollars with two decimals as the published estimates were made from. Every model is fitted by both; log-likelihoods, estimates
and what is foretold of each customer are compared. Standard errors are compared with those of scipy's
maximum and numerical second derivatives. At the end stand the values of special functions that unit tests hold, from
mpmath. Exit code 0 where all agree.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
import warnings
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import mpmath
import numpy as np
import pandas
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

warnings.filterwarnings("ignore")
END = datetime.date(1997, 9, 30)
FITTERS = {"bgnbd": BetaGeoFitter, "mbgnbd": ModifiedBetaGeoFitter, "paretonbd": ParetoNBDFitter}


def two_decimals(value: Decimal) -> float:
    return float(value.quantize(Decimal("0.01"), ROUND_HALF_UP))


def summary(path: Path) -> pandas.DataFrame:
    """One row a customer; purchases of one day are one."""
    customers: dict[str, dict[datetime.date, Decimal]] = {}
    for line in path.read_text().splitlines():
        customer, _, day, _, dollars = line.split()
        day = datetime.date(int(day[:4]), int(day[4:6]), int(day[6:]))
        if day <= END:
            days = customers.setdefault(customer, {})
            days[day] = days.get(day, Decimal(0)) + Decimal(dollars)
    rows = []
    for customer, days in sorted(customers.items()):
        first, last = min(days), max(days)
        repeats = [spent for day, spent in days.items() if day > first]
        weeks = [two_decimals(Decimal(span.days) / 7) for span in (last - first, END - first)]
        mean = two_decimals(sum(repeats) / len(repeats)) if repeats else 0.0
        rows.append((customer, len(repeats), *weeks, mean))
    return pandas.DataFrame(rows, columns=["user_id", "frequency", "recency", "T", "monetary_value"])


def bg_nbd(parameters, x, tx, t, chances):
    r, alpha, a, b = parameters
    k = x + chances
    alive = -(r + x) * np.log(alpha + t)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(k > 0, np.log(a) - np.log(b + k - 1) - (r + x) * np.log(alpha + tx), -np.inf)
    return (
        gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + k) - betaln(a, b) + np.logaddexp(alive, left)
    ).sum()


def pareto_nbd(parameters, x, tx, t):
    r, alpha, s, beta = parameters
    order = r + s + x
    near, far, other = (alpha, beta, s + 1) if alpha >= beta else (beta, alpha, r + x)

    def tail(at):
        return hyp2f1(order, other, order + 1, (near - far) / (near + at)) / (near + at) ** order

    inner = (alpha + t) ** -(r + x) * (beta + t) ** -s + s / order * (tail(tx) - tail(t))
    return (gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(inner)).sum()


def gamma_gamma(parameters, x, mean):
    p, q, v = parameters
    return (
        gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v) + p * x * np.log(x)
        + (p * x - 1) * np.log(mean) - (p * x + q) * np.log(v + mean * x)
    ).sum()


def maximum(likelihood, start):
    """The place and the standard errors of a maximum, by the simplex method and central differences."""
    options = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000}
    found = minimize(lambda logs: -likelihood(np.exp(logs)), np.log(start), method="Nelder-Mead", options=options)
    place = np.exp(found.x)

    def hessian(scale):
        steps = np.diag(place * scale)
        size = range(len(place))
        differences = [
            [
                sum(
                    sign * likelihood(place + a * steps[i] + b * steps[j])
                    for a, b, sign in [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
                )
                / (4 * steps[i, i] * steps[j, j])
                for j in size
            ]
            for i in size
        ]
        return np.array(differences)

    information = -(4 * hessian(1e-3) - hessian(2e-3)) / 3
    return place, np.sqrt(np.diag(np.linalg.inv(information))), -found.fun


def golden() -> None:
    """What the unit tests of `crates/cip-rfm/src/lifetime/hypergeometric.rs` hold."""
    mpmath.mp.dps = 40
    series = [(0.243, 2.426, 2.219, 0.9), (0.243, 2.426, -0.3, 0.5), (2.243, 4.426, 4.219, 0.335), (0.5, 1.4, 0.0001, 0.95),
              (30.5, 28.3, 31.1, 0.6), (1.5, 0.2, 0.4, 0.9995)]
    fractions = [(0.553, 2.159, 0.0934), (26.553, 28.159, 0.3), (1.606, 28.159, 0.3), (0.0105, 1.02, 0.999),
                 (200.5, 202.25, 0.95), (1.5, 10001.0, 0.9), (0.75, 1.875, 0.99999)]
    print("\nc 2F1(a, b; c; z)")
    for a, b, c, z in series:
        print(f"  {a}, {b}, {c}, {z}: {mpmath.nstr(c * mpmath.hyp2f1(a, b, c, z), 15)}")
    print("2F1(1, p; q; z)")
    for p, q, z in fractions:
        print(f"  {p}, {q}, {z}: {mpmath.nstr(mpmath.hyp2f1(1, p, q, z), 15)}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cip", type=Path)
    arguments.add_argument("sample", type=Path)
    arguments = arguments.parse_args()
    customers = summary(arguments.sample)
    wrong = []

    def hold(what, found, expected, tolerance):
        worst = float(np.max(np.abs(np.asarray(found, float) - np.asarray(expected, float))))
        if not worst <= tolerance:
            wrong.append(f"{what}: differs by {worst}")

    with tempfile.TemporaryDirectory() as folder:
        table, out = Path(folder) / "summary.csv", Path(folder) / "values.parquet"
        customers.to_csv(table, index=False)

        def cip(model, *more):
            start = time.perf_counter()
            said = subprocess.run(
                [arguments.cip, "clv", table, "--model", model, "--horizon", "39", "--out", out, "--json", *more],
                check=True, capture_output=True,
            )
            return json.loads(said.stdout), pandas.read_parquet(out), time.perf_counter() - start

        x, tx, t = (customers[name].to_numpy(float) for name in ["frequency", "recency", "T"])
        own = {
            "bgnbd": (lambda p: bg_nbd(p, x, tx, t, 0), [0.3, 5, 1, 2]),
            "mbgnbd": (lambda p: bg_nbd(p, x, tx, t, 1), [0.5, 6, 1, 2]),
            "paretonbd": (lambda p: pareto_nbd(p, x, tx, t), [0.5, 10, 0.6, 10]),
        }
        print("model       program    r        alpha    a or s   b or beta  log-likelihood  seconds")
        for model, fitter in FITTERS.items():
            said, values, seconds = cip(model)
            start = time.perf_counter()
            fit = fitter().fit(x, tx, t)
            theirs = time.perf_counter() - start
            expected = fit.conditional_expected_number_of_purchases_up_to_time(39, x, tx, t)
            place, errors, log_likelihood = maximum(*own[model])
            ours = list(said["params"].values())
            fitted = list(fit.params_)
            for program, parameters, sum_of_logs, took in [
                ("cip", ours, said["log_likelihood"], seconds),
                ("lifetimes", fitted, own[model][0](fitted), theirs),
            ]:
                shown = "".join(f"{value:9.4f}" for value in parameters)
                print(f"{model:11} {program:9}{shown}  {sum_of_logs:14.5f} {took:8.2f}")
            hold(f"{model} parameters against scipy", np.array(ours) / place, 1, 1e-4)
            hold(f"{model} standard errors against scipy", np.array(list(said["standard_errors"].values())) / errors, 1, 1e-3)
            hold(f"{model} log-likelihood against scipy", said["log_likelihood"], log_likelihood, 1e-5)
            hold(f"{model} purchases against lifetimes", values["expected_purchases"], expected, 0.02)
            hold(f"{model} p_alive against lifetimes", values["p_alive"], fit.conditional_probability_alive(x, tx, t), 0.005)
        repeaters = customers[customers["frequency"] > 0]
        spend = (repeaters["frequency"].to_numpy(float), repeaters["monetary_value"].to_numpy(float))
        said, values, seconds = cip("gammagamma")
        start = time.perf_counter()
        fit = GammaGammaFitter().fit(*spend)
        theirs = time.perf_counter() - start
        place, errors, log_likelihood = maximum(lambda p: gamma_gamma(p, *spend), [6, 4, 15])
        ours = list(said["params"].values())
        for program, parameters, sum_of_logs, took in [
            ("cip", ours, said["log_likelihood"], seconds),
            ("lifetimes", list(fit.params_), gamma_gamma(list(fit.params_), *spend), theirs),
        ]:
            shown = "".join(f"{value:9.4f}" for value in parameters)
            print(f"gammagamma  {program:9}{shown}           {sum_of_logs:14.5f} {took:8.2f}")
        hold("gammagamma parameters against scipy", np.array(ours) / place, 1, 1e-4)
        hold("gammagamma standard errors against scipy", np.array(list(said["standard_errors"].values())) / errors, 1, 1e-3)
        hold("gammagamma log-likelihood against scipy", said["log_likelihood"], log_likelihood, 1e-5)
        expected = fit.conditional_expected_average_profit(repeaters["frequency"], repeaters["monetary_value"])
        hold("spend against lifetimes", values["expected_spend"][customers["frequency"] > 0] / expected, 1, 0.01)
    golden()
    for line in wrong:
        print(line)
    print("\nall agree" if not wrong else f"\n{len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
