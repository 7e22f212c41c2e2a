#!/usr/bin/env python3
"""Holds itemsets and rules of `cip` to mlxtend's and efficient-apriori's, and says how long each takes.

    pip install duckdb mlxtend efficient-apriori
    python3 scripts/check_rules.py CIP BASKETS [--min-support 0.01] [--min-confidence 0.2]

BASKETS has one basket a line, items split by commas. The itemsets must be the same, with the same counts, and so must the rules;
measures may differ by 1e-9. Times are of the whole process of `cip` and of the calls of the others, which use one thread.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip")
    parser.add_argument("baskets")
    parser.add_argument("--min-support", type=float, default=0.01)
    parser.add_argument("--min-confidence", type=float, default=0.2)
    args = parser.parse_args()

    lines = Path(args.baskets).read_text(encoding="utf-8").splitlines()
    baskets = [tuple(line.split(",")) for line in lines if line]
    encoder = TransactionEncoder()
    table = pandas.DataFrame(encoder.fit(baskets).transform(baskets), columns=encoder.columns_)
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
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(f"{len(faults)} differences")
    print("\nthe same itemsets, rules and measures")


if __name__ == "__main__":
    main()
