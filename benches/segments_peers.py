#!/usr/bin/env python3
"""Clusters a million customers by `cip segments` and by scikit-learn, and prints a table in Markdown.

    pip install scikit-learn duckdb pandas pyarrow
    cargo build --release -p cip-cli
    python3 benches/segments_peers.py target/release/cip [--customers 1000000]

The customers are simulated: rates of purchase and amounts are log-normal, a third has left. `cip` reads its store, sets outliers apart, scales, and finds
2, 3, ... 10 clusters with silhouettes; it is a process of its own under GNU time. scikit-learn is given the customers inside the same fences, scaled, in memory; for each
number of clusters the CPU seconds of the fit alone are taken, of `KMeans` (Lloyd, four starts, to rest) and of `MiniBatchKMeans`, and of a silhouette over as many customers as
cip takes. The exit code is 1 where an inertia of cip is above that of `KMeans` by more than 1%, or a silhouette further from that of 20,000 customers than
four standard errors of both. Needs /usr/bin/time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import silhouette_samples, silhouette_score

from gnu_time import machine, timed

MAPPING = """name = "purchases"
[columns]
user_id = { from = "user_id", type = "int64" }
event_time = { from = "event_time", type = "timestamp" }
price = { from = "price", type = "money", scale = 2 }
event_type = { constant = "purchase", type = "dictionary" }
"""


def purchases(count: int) -> pandas.DataFrame:
    random = np.random.default_rng(7)
    stays = np.where(random.random(count) < 1 / 3, random.uniform(1, 200, count), 365)
    orders = 1 + random.poisson(random.lognormal(0, 0.8, count) * stays / 365)
    user = np.repeat(np.arange(count), orders)
    day = random.uniform(0, 1, user.size) * stays[user]
    price = np.round(random.lognormal(3.5, 0.6, count)[user] * random.lognormal(0, 0.4, user.size), 2)
    times = np.datetime64("2019-01-01", "s") + (day * 86_400).astype("timedelta64[s]")
    return pandas.DataFrame({"user_id": user, "event_time": times, "price": np.maximum(price, 0.01)})


def took(work) -> tuple[float, object]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--most", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        purchases(args.customers).to_csv(folder / "purchases.csv", index=False)
        (folder / "purchases.toml").write_text(MAPPING)
        subprocess.run([args.cip, "ingest", folder / "purchases.csv", "--mapping", folder / "purchases.toml", "--out", folder / "store"],
                       check=True, capture_output=True)
        command = [args.cip, "segments", folder / "store", "--as-of", "2020-01-01", "--most", str(args.most), "--out", folder / "out", "--json"]
        said, ours = timed(command)
        said = json.loads(said)
        table = pandas.read_parquet(folder / "out" / "customer_rfm_kmeans_clustered.parquet")
        inside = table[table["cluster"] >= 0]
        points = inside[["monetary", "frequency", "recency_days"]].astype(float).to_numpy()
        points = (points - points.mean(axis=0)) / points.std(axis=0)
        print(f"{len(table):,} customers, {len(points):,} inside the fences; {machine()}\n")
        print(f"cip, from its store to tables: {ours['cpu']:.1f} CPU s, {ours['wall']:.1f} wall s, {ours['peak'] / 1e6:.0f} MB\n")
        print("| clusters | inertia: cip | KMeans | MiniBatchKMeans | silhouette: cip | of 20,000 | CPU s: KMeans | MiniBatchKMeans | a silhouette |")
        print("|---|---|---|---|---|---|---|---|---|")
        wrong, sums = [], np.zeros(3)
        sample = np.random.default_rng(1).choice(len(points), min(20_000, len(points)), replace=False)
        for tried in said["tried"]:
            clusters = tried["clusters"]
            exact = took(lambda: KMeans(clusters, n_init=4, random_state=1, tol=0, max_iter=1000).fit(points))
            mini = took(lambda: MiniBatchKMeans(clusters, n_init=4, random_state=1).fit(points))
            quick = took(lambda: silhouette_score(points, exact[1].labels_, sample_size=2_000, random_state=1))
            widths = silhouette_samples(points[sample], exact[1].labels_[sample])
            error = float(np.hypot(tried["silhouette_error"], widths.std() / len(widths) ** 0.5))
            sums += [exact[0], mini[0], quick[0]]
            print(f"| {clusters} | {tried['inertia']:,.0f} | {exact[1].inertia_:,.0f} | {mini[1].inertia_:,.0f} | {tried['silhouette']:.3f} ± "
                  f"{tried['silhouette_error']:.3f} | {widths.mean():.3f} | {exact[0]:.1f} | {mini[0]:.1f} | {quick[0]:.2f} |", flush=True)
            same = abs(tried["inertia"] / exact[1].inertia_ - 1) < 1e-4
            if tried["inertia"] > 1.01 * exact[1].inertia_:
                wrong.append(f"{clusters} clusters: an inertia of {tried['inertia']}, expected {exact[1].inertia_}")
            if same and abs(tried["silhouette"] - widths.mean()) > 4 * error:
                wrong.append(f"{clusters} clusters: a silhouette of {tried['silhouette']}, expected {widths.mean()}")
        print(f"| all | | | | | | {sums[0]:.1f} | {sums[1]:.1f} | {sums[2]:.1f} |")
        for line in wrong:
            print(line)
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
