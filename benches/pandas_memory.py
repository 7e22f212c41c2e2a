#!/usr/bin/env python3
"""Prints the bytes that pandas holds for each event of the clickstream, column by column.

    pip install pandas
    python3 benches/pandas_memory.py target/release/cip [--events 1000000]

Three ways: every field as a Python string (`dtype=object`), as `read_csv` has it by itself, and with the event type, category
code and brand as categories, 32-bit users and float prices, as people tune it by hand.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import pandas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "csv"
        subprocess.run([args.cip, "generate", csv, "--events", str(args.events), "--seed", "42"], check=True,
                       capture_output=True)
        read = lambda **how: pandas.concat([pandas.read_csv(file, **how) for file in sorted(csv.glob("*.csv"))])
        tuned = {"event_type": "category", "category_code": "category", "brand": "category", "price": "float32",
                 "user_id": "int32", "product_id": "int32"}
        frames = [
            ("strings", read(dtype=object)),
            ("read_csv", read()),
            ("tuned", read(dtype={name: kind for name, kind in tuned.items() if kind != "category"}).astype(tuned)),
        ]
        frames[2][1]["event_time"] = pandas.to_datetime(frames[2][1]["event_time"], format="%Y-%m-%d %H:%M:%S UTC")
        usage = [(name, frame.memory_usage(index=False, deep=True) / len(frame)) for name, frame in frames]
        print(f"pandas {pandas.__version__}, bytes an event\n")
        print("| column | " + " | ".join(name for name, _ in usage) + " |\n|---|---|---|---|")
        for column in frames[0][1].columns:
            print(f"| {column} | " + " | ".join(f"{bytes_[column]:.1f}" for _, bytes_ in usage) + " |")
        print("| all | " + " | ".join(f"{bytes_.sum():.0f}" for _, bytes_ in usage) + " |")
        print("| GB for 108,795,631 events | "
              + " | ".join(f"{bytes_.sum() * 0.108795631:.1f}" for _, bytes_ in usage) + " |")


if __name__ == "__main__":
    main()
