#!/usr/bin/env python3
"""Holds itemsets and rules of `cip` to those of mlxtend, efficient-apriori, PyFIM and PySpark, and says how long each takes.

    pip install duckdb mlxtend efficient-apriori pyfim pyspark
    python3 scripts/check_rules.py CIP BASKETS [--min-support 0.01] [--min-confidence 0.2]

BASKETS has one basket a line, items split by commas, or is an event store, of which the baskets are source sessions of up to 50 products.
The itemsets must be the same, with the same counts, and so must the rules; measures may differ by 1e-9. Times are of the whole process of `cip`, and of
the calls of the others, which use one thread, but for PySpark, which uses all. PyFIM (Borgelt's FP-growth in C) and PySpark (its FP-growth, in a JVM) are left out where
they are not installed; PySpark makes rules with consequents of one item alone, so its rules are compared with those.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pandas
from efficient_apriori import apriori as efficient_apriori
from mlxtend.frequent_patterns import association_rules, fpgrowth
from mlxtend.preprocessing import TransactionEncoder

TOLERANCE = 1e-9
MOST_CELLS = 2_000_000_000
MLXTEND = {
    "support": "support", "confidence": "confidence", "lift": "lift", "leverage": "leverage",
    "conviction": "conviction", "zhang": "zhangs_metric", "jaccard": "jaccard",
    "certainty": "certainty", "kulczynski": "kulczynski",
}


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def close(found, expected):
    if found is None or math.isinf(expected):
        return found == expected
    return abs(found - expected) <= TOLERANCE * max(1.0, abs(expected))


def of_cip(cip, command, baskets, options, folder):
    out = Path(folder) / f"{command}.parquet"
    call = [cip, command, baskets, "--out", out, "--json", *map(str, options)]
    _, seconds = timed(lambda: subprocess.run(call, check=True, capture_output=True))
    return duckdb.read_parquet(str(out)).fetchall(), duckdb.read_parquet(str(out)).columns, seconds


def baskets_of(source):
    """Returns the baskets of a file, or of a store as `cip` makes them."""
    if not source.is_dir():
        return [tuple(line.split(",")) for line in source.read_text(encoding="utf-8").splitlines() if line]
    rows = duckdb.sql(f"""
        SELECT list(DISTINCT product_id::VARCHAR) AS items FROM '{source}/commits/*/events-*.parquet'
        WHERE source_session IS NOT NULL AND product_id IS NOT NULL
        GROUP BY user_id, source_session HAVING count(DISTINCT product_id) <= 50""").fetchall()
    return [tuple(items) for (items,) in rows]


def of_pyfim(baskets, least):
    """Returns the itemsets with their counts, and the seconds; none where it is not installed."""
    try:
        import fim
    except ImportError:
        return None
    found, seconds = timed(lambda: fim.fpgrowth(baskets, target="s", supp=-least, zmin=1, report="a"))
    return {frozenset(items): count for items, count in found}, seconds


def of_pyspark(baskets, min_support, min_confidence):
    """Returns the itemsets with their counts and seconds, and the rules with theirs; none where it is not installed."""
    try:
        from pyspark.ml.fpm import FPGrowth
        from pyspark.sql import SparkSession
    except ImportError:
        return None
    spark = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.createDataFrame([(list(basket),) for basket in baskets], ["items"]).cache()
    frame.count()
    model, fit_s = timed(lambda: FPGrowth(minSupport=min_support, minConfidence=min_confidence).fit(frame))
    sets, sets_s = timed(lambda: model.freqItemsets.collect())
    rules, rules_s = timed(lambda: model.associationRules.collect())
    sets = {frozenset(row["items"]): row["freq"] for row in sets}
    rules = {(frozenset(row["antecedent"]), frozenset(row["consequent"])): row for row in rules}
    spark.stop()
    return sets, fit_s + sets_s, rules, fit_s + sets_s + rules_s


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip")
    parser.add_argument("baskets")
    parser.add_argument("--min-support", type=float, default=0.01)
    parser.add_argument("--min-confidence", type=float, default=0.2)
    args = parser.parse_args()

    baskets = baskets_of(Path(args.baskets))
    least = math.ceil(args.min_support * len(baskets) - 1e-9)
    encoder = TransactionEncoder()
    encoder.fit(baskets)
    # mlxtend is faster with a dense table, which many products do not allow.
    if len(baskets) * len(encoder.columns_) <= MOST_CELLS:
        table = pandas.DataFrame(encoder.transform(baskets), columns=encoder.columns_)
    else:
        table = pandas.DataFrame.sparse.from_spmatrix(encoder.transform(baskets, sparse=True), columns=encoder.columns_)
    sets, mlxtend_sets_s = timed(lambda: fpgrowth(table, min_support=args.min_support, use_colnames=True))
    rules, mlxtend_rules_s = timed(
        lambda: association_rules(sets, num_itemsets=len(baskets), metric="confidence", min_threshold=args.min_confidence)
    )
    (efficient_sets, efficient_rules), efficient_s = timed(
        lambda: efficient_apriori(baskets, min_support=args.min_support, min_confidence=args.min_confidence)
    )

    support = ["--min-support", args.min_support]
    with tempfile.TemporaryDirectory() as folder:
        found_sets, _, cip_sets_s = of_cip(args.cip, "itemsets", args.baskets, support, folder)
        most = ["--min-confidence", args.min_confidence, "--max-consequent", 64]
        found_rules, columns, cip_rules_s = of_cip(args.cip, "rules", args.baskets, [*support, *most], folder)

    faults = []
    ours = {frozenset(items): count for items, _, count, _ in found_sets}
    theirs = {row.itemsets: round(row.support * len(baskets)) for row in sets.itertuples()}
    efficient = {frozenset(items): count for size in efficient_sets.values() for items, count in size.items()}
    if ours != theirs:
        faults.append(f"itemsets: {len(ours)} of cip, {len(theirs)} of mlxtend, {len(ours.items() ^ theirs.items())} differ")
    if ours != efficient:
        faults.append(f"itemsets: {len(ours)} of cip, {len(efficient)} of efficient-apriori differ")

    rows = [dict(zip(columns, row)) for row in found_rules]
    by_sides = {(frozenset(row["antecedent"]), frozenset(row["consequent"])): row for row in rows}
    expected = {(row["antecedents"], row["consequents"]): row for row in rules.to_dict("records")}
    pyfim = of_pyfim(baskets, least)
    if pyfim and pyfim[0] != ours:
        faults.append(f"itemsets: {len(ours)} of cip, {len(pyfim[0])} of PyFIM, {len(ours.items() ^ pyfim[0].items())} differ")
    spark = of_pyspark(baskets, args.min_support, args.min_confidence)
    if spark:
        if spark[0] != ours:
            faults.append(f"itemsets: {len(ours)} of cip, {len(spark[0])} of PySpark, {len(ours.items() ^ spark[0].items())} differ")
        one = {sides: row for sides, row in by_sides.items() if len(sides[1]) == 1}
        if one.keys() != spark[2].keys():
            faults.append(f"rules of one consequent: {len(one)} of cip, {len(spark[2])} of PySpark")
        for sides in one.keys() & spark[2].keys():
            for column in ("support", "confidence", "lift"):
                if not close(one[sides][column], spark[2][sides][column]):
                    faults.append(f"{sides}: {column} {one[sides][column]}, PySpark {spark[2][sides][column]}")
    if by_sides.keys() != expected.keys():
        faults.append(f"rules: {len(by_sides)} of cip, {len(expected)} of mlxtend")
    for sides in by_sides.keys() & expected.keys():
        for column, name in MLXTEND.items():
            if not close(by_sides[sides][column], expected[sides][name]):
                faults.append(f"{sides}: {column} {by_sides[sides][column]}, mlxtend {expected[sides][name]}")
    sides_of = {(frozenset(rule.lhs), frozenset(rule.rhs)): rule for rule in efficient_rules}
    if by_sides.keys() != sides_of.keys():
        faults.append(f"rules: {len(by_sides)} of cip, {len(sides_of)} of efficient-apriori")
    for sides in by_sides.keys() & sides_of.keys():
        # Its conviction has a small number added to the denominator, so that it is never infinite.
        for column in ("support", "confidence", "lift"):
            theirs = getattr(sides_of[sides], column)
            if not close(by_sides[sides][column], theirs):
                faults.append(f"{sides}: {column} {by_sides[sides][column]}, efficient-apriori {theirs}")

    print(f"{len(baskets):,} baskets, support {args.min_support}, confidence {args.min_confidence}: "
          f"{len(ours):,} itemsets, {len(by_sides):,} rules, consequents of any size\n")
    print("| | itemsets, s | rules with their itemsets, s |\n|---|---|---|")
    print(f"| cip | {cip_sets_s:.3f} | {cip_rules_s:.3f} |")
    print(f"| mlxtend (FP-growth) | {mlxtend_sets_s:.3f} | {mlxtend_sets_s + mlxtend_rules_s:.3f} |")
    print(f"| efficient-apriori | | {efficient_s:.3f} |")
    if pyfim:
        print(f"| PyFIM (FP-growth) | {pyfim[1]:.3f} | |")
    if spark:
        print(f"| PySpark (FP-growth; rules of one consequent) | {spark[1]:.3f} | {spark[3]:.3f} |")
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(f"{len(faults)} differences")
    print("\nthe same itemsets, rules and measures")


if __name__ == "__main__":
    main()
