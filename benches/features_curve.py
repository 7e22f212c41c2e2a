#!/usr/bin/env python3
"""Says what `cip features` costs an event as the events become more, and what more events than one machine holds would cost; prints tables in Markdown.

    cargo build --release
    python3 benches/features_curve.py target/release/cip [--events 5000000,20208019] [--stores DIR,DIR] [--plan 2600000000] [--runs 3]

For each number of events a shop is generated (seed 42) and read into a store; stores that are there already are taken as they are. Then the eleven
features of `benches/peers.py`, with a cutoff 29 days before the last day, are computed by a process of its own under GNU time. Shown is the median of the runs: CPU (user +
system seconds), nanoseconds of it an event, wall seconds, peak resident memory, bytes of the store and of the table. The plan is the
straight line through the least and the greatest number of events, and what an event costs between them. Needs /usr/bin/time, and disk for the CSV (133
bytes an event) and the store (12) of one number at a time.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from gnu_time import machine
from peers import FEATURES, measure, size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--events", default="", help="numbers of events to generate, split by commas")
    parser.add_argument("--stores", default="", help="stores that are there, split by commas")
    parser.add_argument("--plan", type=int, default=2_600_000_000, help="events to plan for")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    cip = [str(args.cip), "--memory", args.memory]
    run = lambda *command: json.loads(subprocess.run([*cip, *map(str, command), "--json"], check=True, capture_output=True).stdout)

    def curve(store: Path, out: Path) -> dict:
        about = run("info", store)
        cutoff = date.fromisoformat(about["last_event"][:10]) - timedelta(days=29)
        command = [*cip, "features", str(store), "--cutoff", str(cutoff), "--columns", FEATURES, "--out", str(out)]
        users = run(*command[3:])["users"]
        runs = [measure(command, out) for _ in range(args.runs)]
        got = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        got = {"events": about["events"], "users": users, "store": size(store), **got}
        print(f"| {got['events']:,} | {users:,} | {got['cpu']:.2f} | {got['cpu'] / got['events'] * 1e9:.0f} | {got['wall']:.2f} | "
              f"{got['peak'] / 1e6:.0f} | {got['store'] / 1e6:,.0f} | {got['bytes'] / 1e6:.1f} |", flush=True)
        return got

    print(f"{machine()}, {args.memory}, median of {args.runs}\n")
    print("| events | users | CPU s | ns an event | wall s | peak MB | store MB | table MB |\n|---|---|---|---|---|---|---|---|")
    points = []
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        out = Path(name) / "f.parquet"
        for store in filter(None, args.stores.split(",")):
            points.append(curve(Path(store), out))
        for events in map(int, filter(None, args.events.split(","))):
            csv, store = Path(name) / "csv", Path(name) / "store"
            run("generate", csv, "--events", events, "--seed", 42)
            run("ingest", csv, "--mapping", "rees46", "--out", store)
            shutil.rmtree(csv)
            points.append(curve(store, out))
            shutil.rmtree(store)
    points.sort(key=lambda point: point["events"])
    least, most = points[0], points[-1]
    if least["events"] == most["events"]:
        return 0
    # By the straight line: what is there however few the events are, and what each of them adds.
    more = lambda key: (most[key] - least[key]) / (most["events"] - least["events"])
    at_plan = lambda key: most[key] + more(key) * (args.plan - most["events"])
    print(f"\n| for {args.plan:,} events | an event more | in all |\n|---|---|---|")
    print(f"| users | {more('users'):.3f} | {at_plan('users') / 1e6:,.0f} million |")
    print(f"| CPU | {more('cpu') * 1e9:.0f} ns | {at_plan('cpu'):,.0f} s |")
    print(f"| wall | {more('wall') * 1e9:.0f} ns | {at_plan('wall'):,.0f} s |")
    print(f"| peak memory | {more('peak'):.2f} bytes | {at_plan('peak') / 1e6:,.0f} MB |")
    print(f"| store | {more('store'):.1f} bytes | {at_plan('store') / 1e9:,.1f} GB |")
    print(f"| table | {more('bytes'):.2f} bytes | {at_plan('bytes') / 1e9:,.1f} GB |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
