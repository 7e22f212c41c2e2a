#!/usr/bin/env python3
"""Fits the lifetime models of `cip clv` to millions of customers, beside the Python package `lifetimes`, and prints a table in Markdown.

    pip install lifetimes pandas pyarrow
    cargo build --release -p cip-cli
    python3 benches/lifetime_peers.py target/release/cip [--customers 5000000] [--peer-customers 500000] [--models bgnbd,...]

The customers are simulated by the model of Fader and Hardie: rates of purchase are gamma-distributed, leaving after a purchase is
beta-distributed, spend is gamma-gamma-distributed; the parameters are those of CDNOW, observed for 27 to 39 weeks in whole days. Contracts
have one to twelve renewals behind them. Every fit is a process of its own under GNU time: CPU (user + system seconds), wall
seconds and peak resident memory of `cip` are of the whole process, which reads the summary, fits, and foretells each customer; with
`--forecast` it writes that too. Of `lifetimes`, which has no model of contracts, CPU and wall are of the fit alone, without importing and
reading. The parameters of both are compared; where one differs by more than a ten thousandth, the exit code is 1. Needs /usr/bin/time.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas

from gnu_time import machine, timed

# r and alpha of purchases a day, a and b of leaving; p, q and v of spend.
R, ALPHA, A, B = 0.2426, 4.4136 * 7, 0.7929, 2.4259
P, Q, V = 6.2496, 3.7442, 15.4435
FITTERS = {"bgnbd": "BetaGeoFitter", "mbgnbd": "ModifiedBetaGeoFitter", "paretonbd": "ParetoNBDFitter", "gammagamma": "GammaGammaFitter"}
# By how much parameters may differ, of their value.
TOLERANCE = 1e-4
PEER = """
import json, sys, time, warnings
import pandas
import lifetimes
warnings.filterwarnings("ignore")
name, path = sys.argv[1:]
rows = pandas.read_parquet(path)
start = time.process_time(), time.perf_counter()
if name == "GammaGammaFitter":
    rows = rows[rows["frequency"] > 0]
    fit = lifetimes.GammaGammaFitter().fit(rows["frequency"].astype(float), rows["monetary_value"], tol=1e-9)
else:
    fit = getattr(lifetimes, name)().fit(rows["frequency"].astype(float), rows["recency"], rows["T"], tol=1e-9)
print(json.dumps({"params": list(fit.params_), "cpu": time.process_time() - start[0], "wall": time.perf_counter() - start[1]}))
"""


def customers(count: int, seed: int) -> pandas.DataFrame:
    """Repeat purchases by the BG/NBD model, in whole days."""
    random = np.random.default_rng(seed)
    observed = random.integers(27 * 7, 39 * 7 + 1, count).astype(float)
    rate, leaves = random.gamma(R, 1 / ALPHA, count), random.beta(A, B, count)
    frequency, recency, now = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
    there = np.arange(count)
    while there.size:
        now[there] += random.exponential(1, there.size) / np.maximum(rate[there], 1e-12)
        there = there[now[there] < observed[there]]
        frequency[there] += 1
        recency[there] = np.maximum(np.floor(now[there]), 1)
        there = there[random.random(there.size) >= leaves[there]]
    scale = random.gamma(Q, 1 / V, count)
    mean = random.gamma(P * np.maximum(frequency, 1), 1 / (np.maximum(frequency, 1) * scale))
    spent = np.where(frequency > 0, np.maximum(np.round(mean, 2), 0.01), 0.0)
    return pandas.DataFrame({"frequency": frequency, "recency": recency, "T": observed, "monetary_value": spent})


def contracts(count: int, seed: int) -> pandas.DataFrame:
    """Renewals by the sBG model, of up to twelve."""
    random = np.random.default_rng(seed)
    chances, leaves = random.integers(1, 13, count), random.beta(0.704, 1.182, count)
    renewals = np.minimum(random.geometric(np.maximum(leaves, 1e-12)) - 1, chances)
    return pandas.DataFrame({"frequency": renewals, "T": chances, "monetary_value": np.full(count, 10.0)})


def measure(command: list) -> tuple[dict, dict]:
    """Returns what a command says as JSON, and what it took."""
    said, took = timed(command)
    return json.loads(said), took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--customers", type=int, default=5_000_000)
    parser.add_argument("--peer-customers", type=int, default=500_000, help="0 leaves lifetimes out")
    parser.add_argument("--models", default="bgnbd,mbgnbd,paretonbd,gammagamma,sbg")
    parser.add_argument("--forecast", action="store_true", help="let cip write what is foretold of each customer")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where to work, and keep the summaries (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(exist_ok=True)

        def summary(kind, count):
            path = folder / f"{kind.__name__}-{count}-{args.seed}.parquet"
            if not path.exists():
                kind(count, args.seed).to_parquet(path, index=False)
            return path

        def cip(model, count):
            table = summary(contracts if model == "sbg" else customers, count)
            more = ["--out", folder / "values.parquet"] if args.forecast else []
            return measure([args.cip, "clv", table, "--model", model, "--json", *more])

        rows, wrong = [], []
        for model in args.models.split(","):
            said, took = cip(model, args.customers)
            rows.append((model, "cip", args.customers, took, list(said["params"].values()), ""))
            if model in FITTERS and args.peer_customers:
                said, took = cip(model, args.peer_customers)
                ours = list(said["params"].values())
                rows.append((model, "cip", args.peer_customers, took, ours, ""))
                said, took = measure([sys.executable, "-c", PEER, FITTERS[model], summary(customers, args.peer_customers)])
                alone = {"cpu": said["cpu"], "wall": said["wall"], "peak": took["peak"]}
                worst = max(abs(own / other - 1) for own, other in zip(ours, said["params"]))
                rows.append((model, "lifetimes, fit alone", args.peer_customers, alone, said["params"], f"{worst:.0e}"))
                if not worst <= TOLERANCE:
                    wrong.append(f"{model}: parameters differ by {worst:.2g}, expected {TOLERANCE} at most")
        print(f"{machine()}\n")
        print("| model | who | customers | CPU s | wall s | peak MB | parameters | differ by |\n|---|---|---|---|---|---|---|---|")
        for model, who, count, took, parameters, differ in rows:
            shown = " ".join(f"{value:.5g}" for value in parameters)
            print(f"| {model} | {who} | {count:,} | {took['cpu']:.1f} | {took['wall']:.1f} | {took['peak'] / 1e6:.0f} | {shown} | {differ} |")
        for line in wrong:
            print(line)
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
