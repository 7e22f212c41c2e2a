"""A command as a process of its own, what it took, and the machine on which it ran."""

import os
import platform
import re
import subprocess
import sys


def timed(command: list, **options) -> tuple[str, dict]:
    """Returns what a command prints, and its CPU (user + system) and wall seconds and its peak resident bytes; ends the program where it fails."""
    done = subprocess.run(["/usr/bin/time", "-v", *map(str, command)], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stderr}")
    find = lambda label: re.search(label + r".*: ([\d:.]+)", done.stderr).group(1)
    wall = 0.0
    for part in find("Elapsed").split(":"):
        wall = wall * 60 + float(part)
    return done.stdout, {"cpu": float(find("User time")) + float(find("System time")), "wall": wall,
                         "peak": int(find("Maximum resident")) * 1024}


def machine() -> str:
    """Returns the threads, the processor and the system."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{os.cpu_count()} threads of {cpu}, {platform.system()}"
