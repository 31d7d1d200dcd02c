#!/usr/bin/env python3
"""What it costs when state does not fit: the same job with memory to spare and with a quarter.

    bench/memory.py [RIALTO] [KEYS]

A GROUP BY over random keys, each of which comes twice on average, into a sink that keeps nothing.
The first run has all the memory of the machine, and tells how much it holds; the second has a
quarter of that. Prints rows a second, CPU seconds, the greatest memory of its own and what lay in
the file, and the ratio of the rates.
"""

import os
import subprocess
import sys
import tempfile
import time

JOB = """
CREATE TABLE sales (k BIGINT, v BIGINT) WITH ('connector' = 'datagen',
  'rows-per-second' = '1000000000', 'number-of-rows' = '{rows}', 'fields.k.kind' = 'random',
  'fields.k.min' = '1', 'fields.k.max' = '{keys}', 'fields.v.min' = '1', 'fields.v.max' = '1000');
CREATE TABLE totals (k BIGINT, n BIGINT, s BIGINT, m BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'blackhole');
INSERT INTO totals SELECT k, COUNT(*), SUM(v), MAX(v) FROM sales GROUP BY k;
"""


def resident(pid):
    """MiB that no file backs, and that one does."""
    found = {}
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            for line in status:
                name, _, value = line.partition(":")
                if name in ("RssAnon", "RssFile"):
                    found[name] = int(value.split()[0]) // 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found.get("RssAnon", 0), found.get("RssFile", 0)


def run(rialto, folder, limit):
    """Wall and CPU seconds, and the greatest (own, file) MiB."""
    before, began = os.times(), time.monotonic()
    command = [rialto, "run", "job.sql", "--memory", f"{limit}MB"]
    child = subprocess.Popen(command, cwd=folder)
    own = backed = 0
    while child.poll() is None:
        now = resident(child.pid)
        own, backed = max(own, now[0]), max(backed, now[1])
        time.sleep(0.02)
    if child.returncode != 0:
        sys.exit(f"the job failed with {child.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.monotonic() - began, cpu - before.children_user - before.children_system, own, backed


def main():
    rialto = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "rialto")
    keys = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000_000
    rows = 2 * keys
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "job.sql"), "w", encoding="utf-8") as job:
            job.write(JOB.format(rows=rows, keys=keys))
        print(f"{rows:,} rows, {keys:,} keys")
        rates = []
        limit = 1 << 20
        for what in ("memory to spare", "a quarter"):
            wall, cpu, own, backed = run(rialto, folder, limit)
            rates.append(rows / wall)
            print(f"{what:>15}: {rows / wall:>12,.0f} rows/s {cpu:6.1f} CPU s "
                  f"{own:6} MiB own {backed:6} MiB of files")
            limit = max(128, own // 4)
        print(f"{'ratio':>15}: {rates[1] / rates[0]:.2f}")


if __name__ == "__main__":
    main()
