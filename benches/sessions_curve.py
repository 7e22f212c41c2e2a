#!/usr/bin/env python3
"""Says what `cip sessions` costs an event as the events become more, and prints a table in Markdown.

    cargo build --release
    python3 benches/sessions_curve.py target/release/cip [--events 2000000,5000000,20208019] [--runs 3]

For each number of events: a shop is generated (seed 42) and read into a store, then `cip sessions` runs as a process of its own under
GNU time. Shown is the median of the runs: CPU (user + system seconds), nanoseconds of it an event, wall seconds, peak resident memory, bytes
written. Needs /usr/bin/time, and disk for the CSV (133 bytes an event) and the store (13) of one number at a time.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import measure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--events", default="2000000,5000000,20208019", help="numbers of events, split by commas")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    cip = [str(args.cip), "--memory", args.memory]
    print("| events | sessions | CPU s | ns an event | wall s | peak MB | output MB |\n|---|---|---|---|---|---|---|")
    for events in map(int, args.events.split(",")):
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            csv, store, out = (Path(name) / part for part in ("csv", "store", "s.parquet"))
            run = lambda *command: subprocess.run([*cip, *command, "--json"], check=True, capture_output=True).stdout
            run("generate", str(csv), "--events", str(events), "--seed", "42")
            run("ingest", str(csv), "--mapping", "rees46", "--out", str(store))
            shutil.rmtree(csv)
            sessions = json.loads(run("sessions", str(store), "--out", str(out)))["sessions"]
            runs = [measure([*cip, "sessions", str(store), "--out", str(out)], out) for _ in range(args.runs)]
            got = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            print(f"| {events:,} | {sessions:,} | {got['cpu']:.2f} | {got['cpu'] / events * 1e9:.0f} | {got['wall']:.2f} | "
                  f"{got['peak'] / 1e6:.0f} | {got['bytes'] / 1e6:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
