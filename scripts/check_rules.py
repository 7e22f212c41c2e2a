#!/usr/bin/env python3
"""Holds itemsets and rules of `cip` to those of mlxtend, efficient-apriori, PyFIM and PySpark, and says what each takes.

    pip install duckdb mlxtend efficient-apriori pyfim pyspark
    python3 scripts/check_rules.py CIP BASKETS [--min-support 0.01] [--min-confidence 0.2]

BASKETS has one basket a line, items split by commas, or is an event store, of which the baskets are source sessions of up to 50 products.
The itemsets must be the same, with the same counts, and so must the rules; measures may differ by 1e-9. Each program has a process of its own. CPU (user +
system) and wall seconds are of the whole process of `cip`, with reading and writing; of the others they are of the calls alone, by which baskets in memory
become itemsets and rules in memory. They use one thread, but for PySpark, which uses all; its CPU is that of its JVM as well, which
was started, and had the baskets, before. Peak resident memory is of the whole process; of PySpark of the JVM. PyFIM (Borgelt's FP-growth in C) and PySpark (FP-growth of
Spark, which needs Java) are left out where they are not installed. PySpark makes rules with consequents of one item alone, so its rules are compared with those.
"""

import argparse
import importlib.util
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

TOLERANCE = 1e-9
MOST_CELLS = 2_000_000_000
MLXTEND = {
    "support": "support", "confidence": "confidence", "lift": "lift", "leverage": "leverage",
    "conviction": "conviction", "zhang": "zhangs_metric", "jaccard": "jaccard",
    "certainty": "certainty", "kulczynski": "kulczynski",
}


class Cost:
    """The CPU and wall seconds from its making on, and the peak memory; of another process as well where one works."""

    def __init__(self, other=None):
        self.other = other
        self.start = self.now()

    def now(self):
        cpu = time.process_time()
        if self.other:
            fields = Path(f"/proc/{self.other}/stat").read_text().rsplit(")", 1)[1].split()
            cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return cpu, time.perf_counter()

    def so_far(self):
        cpu, wall = (now - start for now, start in zip(self.now(), self.start))
        if self.other:
            status = Path(f"/proc/{self.other}/status").read_text()
            peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return cpu, wall, peak


def alone(call, *args):
    """Returns what a call returns in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *args).result()


def close(found, expected):
    if found is None or math.isinf(expected):
        return found == expected
    return abs(found - expected) <= TOLERANCE * max(1.0, abs(expected))


def of_cip(cip, command, baskets, options, folder):
    """Returns the rows that a command writes, as mappings, and its cost."""
    import duckdb

    out = Path(folder) / f"{command}.parquet"
    start = time.perf_counter()
    process = subprocess.Popen([cip, command, baskets, "--out", out, "--json", *map(str, options)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    cost = usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss * 1024
    if status != 0:
        sys.exit(f"cip {command} failed")
    table = duckdb.read_parquet(str(out))
    return [dict(zip(table.columns, row)) for row in table.fetchall()], cost


def baskets_of(source):
    """Returns the baskets of a file, or of a store as `cip` makes them."""
    if not source.is_dir():
        return [tuple(line.split(",")) for line in source.read_text(encoding="utf-8").splitlines() if line]
    import duckdb

    rows = duckdb.sql(f"""
        SELECT list(DISTINCT product_id::VARCHAR) AS items FROM '{source}/commits/*/events-*.parquet'
        WHERE source_session IS NOT NULL AND product_id IS NOT NULL
        GROUP BY user_id, source_session HAVING count(DISTINCT product_id) <= 50""").fetchall()
    return [tuple(items) for (items,) in rows]


def of_mlxtend(baskets, min_support, min_confidence):
    """Returns the itemsets with their counts and the cost so far, and the rules with theirs."""
    import pandas
    from mlxtend.frequent_patterns import association_rules, fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    encoder = TransactionEncoder()
    encoder.fit(baskets)
    # mlxtend is faster with a dense table, which many products do not allow.
    if len(baskets) * len(encoder.columns_) <= MOST_CELLS:
        table = pandas.DataFrame(encoder.transform(baskets), columns=encoder.columns_)
    else:
        table = pandas.DataFrame.sparse.from_spmatrix(encoder.transform(baskets, sparse=True), columns=encoder.columns_)
    cost = Cost()
    sets = fpgrowth(table, min_support=min_support, use_colnames=True)
    sets_cost = cost.so_far()
    rules = association_rules(sets, num_itemsets=len(baskets), metric="confidence", min_threshold=min_confidence)
    rules_cost = cost.so_far()
    sets = {row.itemsets: round(row.support * len(baskets)) for row in sets.itertuples()}
    return sets, sets_cost, {(row["antecedents"], row["consequents"]): row for row in rules.to_dict("records")}, rules_cost


def of_efficient_apriori(baskets, min_support, min_confidence):
    """Returns the itemsets with their counts, and the rules with the cost of both."""
    from efficient_apriori import apriori

    cost = Cost()
    sets, rules = apriori(baskets, min_support=min_support, min_confidence=min_confidence)
    cost = cost.so_far()
    sets = {frozenset(items): count for size in sets.values() for items, count in size.items()}
    # Its conviction has a small number added to the denominator, so that it is never infinite.
    measures = lambda rule: {column: getattr(rule, column) for column in ("support", "confidence", "lift")}
    return sets, None, {(frozenset(rule.lhs), frozenset(rule.rhs)): measures(rule) for rule in rules}, cost


def of_pyfim(baskets, min_support, _):
    """Returns the itemsets with their counts, and the cost."""
    import fim

    least = math.ceil(min_support * len(baskets) - 1e-9)
    cost = Cost()
    found = fim.fpgrowth(baskets, target="s", supp=-least, zmin=1, report="a")
    cost = cost.so_far()
    return {frozenset(items): count for items, count in found}, cost, None, None


def of_pyspark(baskets, min_support, min_confidence):
    """Returns the itemsets with their counts and the cost so far, and the rules of one consequent with theirs."""
    from pyspark.ml.fpm import FPGrowth
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.createDataFrame([(list(basket),) for basket in baskets], ["items"]).cache()
    frame.count()
    cost = Cost(spark.sparkContext._gateway.proc.pid)
    model = FPGrowth(minSupport=min_support, minConfidence=min_confidence).fit(frame)
    sets = model.freqItemsets.collect()
    sets_cost = cost.so_far()
    rules = model.associationRules.collect()
    rules_cost = cost.so_far()
    spark.stop()
    sets = {frozenset(row["items"]): row["freq"] for row in sets}
    measures = lambda row: {column: row[column] for column in ("support", "confidence", "lift")}
    return sets, sets_cost, {(frozenset(row["antecedent"]), frozenset(row["consequent"])): measures(row) for row in rules}, rules_cost


# The name, the call, the module that may be missing, the measures by their names there, and how many items a consequent has at most.
SAME = {column: column for column in ("support", "confidence", "lift")}
PEERS = [
    ("mlxtend (FP-growth)", of_mlxtend, None, MLXTEND, None),
    ("efficient-apriori", of_efficient_apriori, None, SAME, None),
    ("PyFIM (FP-growth)", of_pyfim, "fim", {}, None),
    ("PySpark (FP-growth; rules of one consequent)", of_pyspark, "pyspark", SAME, 1),
]


def cells(cost):
    return f"{cost[0]:.2f} | {cost[1]:.2f} | {cost[2] / 2**20:.0f}" if cost else "| | "


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip")
    parser.add_argument("baskets")
    parser.add_argument("--min-support", type=float, default=0.01)
    parser.add_argument("--min-confidence", type=float, default=0.2)
    args = parser.parse_args()

    baskets = alone(baskets_of, Path(args.baskets))
    support, faults = ["--min-support", args.min_support], []
    with tempfile.TemporaryDirectory() as folder:
        sets, sets_cost = of_cip(args.cip, "itemsets", args.baskets, support, folder)
        most = ["--min-confidence", args.min_confidence, "--max-consequent", 64]
        rules, rules_cost = of_cip(args.cip, "rules", args.baskets, [*support, *most], folder)
    ours = {frozenset(row["items"]): row["count"] for row in sets}
    by_sides = {(frozenset(row["antecedent"]), frozenset(row["consequent"])): row for row in rules}
    lines = [f"| cip | {cells(sets_cost)} | {cells(rules_cost)} |"]

    for name, call, module, measures, most in PEERS:
        if module and importlib.util.find_spec(module) is None:
            continue
        theirs, sets_cost, their_rules, rules_cost = alone(call, baskets, args.min_support, args.min_confidence)
        lines.append(f"| {name} | {cells(sets_cost)} | {cells(rules_cost)} |")
        if theirs != ours:
            faults.append(f"itemsets: {len(ours)} of cip, {len(theirs)} of {name}, {len(ours.items() ^ theirs.items())} differ")
        if their_rules is None:
            continue
        comparable = {sides: row for sides, row in by_sides.items() if most is None or len(sides[1]) <= most}
        if comparable.keys() != their_rules.keys():
            faults.append(f"rules: {len(comparable)} of cip, {len(their_rules)} of {name}")
        for sides in comparable.keys() & their_rules.keys():
            for column, theirs in measures.items():
                found, expected = comparable[sides][column], their_rules[sides][theirs]
                if not close(found, expected):
                    faults.append(f"{sides}: {column} {found}, {name} {expected}")

    print(f"{len(baskets):,} baskets, support {args.min_support}, confidence {args.min_confidence}: "
          f"{len(ours):,} itemsets, {len(by_sides):,} rules, consequents of any size\n")
    print("| | itemsets: CPU s | wall s | peak MiB | with rules: CPU s | wall s | peak MiB |\n|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(f"{len(faults)} differences")
    print("\nthe same itemsets, rules and measures")


if __name__ == "__main__":
    main()
