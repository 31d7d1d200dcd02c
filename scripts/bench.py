#!/usr/bin/env python3
"""Runs Nexmark on Rialto and says what it costs; `make bench` builds the command and calls it.

    bench.py RIALTO [--events 2000000] [--queries q0,q5] [--shards N] [--runs 2]
             [--data DIR] [--flink FILE] [-o table|json]

DIR holds the events (made at need, default .cache/bench/EVENTS-PARTS, as many files a stream as
shards). FILE is what bench/flink/run.py printed over the same DIR; with it, the table shows the
ratio of events per CPU second. Of several runs the one with the least CPU time counts. A query
that fails is reported as such and counts as nothing. The time of a run includes the start of the
process and planning. Standard library only.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEXMARK = ROOT / "bench" / "nexmark"
STREAMS = ("person", "auction", "bid")
QUERIES = [f"q{number}" for number in range(24)]


def arguments():
    parser = argparse.ArgumentParser(description="Nexmark on Rialto")
    parser.add_argument("rialto", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--queries", default=",".join(QUERIES))
    parser.add_argument("--shards", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--flink", type=pathlib.Path)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    return parser.parse_args()


def events(options):
    """The folder with the events; they are generated if they are not there."""
    folder = options.data or ROOT / ".cache" / "bench" / f"{options.events}-{options.shards}"
    if not (folder / "bid").is_dir():
        command = [options.rialto, "nexmark", "--dir", folder, "--events", str(options.events),
                   "--parts", str(options.shards)]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return folder


def count_rows(folder):
    rows = {}
    for stream in STREAMS:
        rows[stream] = 0
        for path in (folder / stream).iterdir():
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    rows[stream] += chunk.count(b"\n")
    return rows


def statements(query, data, out):
    text = (NEXMARK / "ddl.sql").read_text() + (NEXMARK / f"{query}.sql").read_text()
    values = {"DATA": data, "SINK": "'connector' = 'blackhole'", "OUT": out,
              "SIDE": NEXMARK / "side_input"}
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", str(value))
    return text


def run_once(options, query, data):
    """Wall seconds, CPU seconds and peak memory of one run; an error's text if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        file, errors = folder / f"{query}.sql", folder / "errors"
        file.write_text(statements(query, data.resolve(), folder))
        command = [options.rialto, "sql", "-f", file, "--shards", options.shards]
        began = time.monotonic()
        with errors.open("wb") as stderr:
            process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL,
                                       stderr=stderr)
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        if os.waitstatus_to_exitcode(status) != 0:
            lines = errors.read_text(errors="replace").strip().splitlines()
            return None, lines[0] if lines else "ended without a message"
        return (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), None


def measure(options, query, data, rows):
    runs = [run_once(options, query, data) for _ in range(max(options.runs, 1))]
    error = next((error for _, error in runs if error), None)
    if error:
        return {"query": query, "error": error}
    # Comments may name a stream that the query does not read.
    text = re.sub(r"--.*", "", (NEXMARK / f"{query}.sql").read_text())
    read = sum(rows[stream] for stream in STREAMS if re.search(rf"\b{stream}\b", text))
    wall, cpu, peak = min((figures for figures, _ in runs), key=lambda figures: figures[1])
    return {"query": query, "rows": read, "wall_s": round(wall, 3), "cpu_s": round(cpu, 3),
            "peak_mb": round(peak, 1), "rows_per_s": round(read / wall),
            "rows_per_cpu_s": round(read / cpu)}


def flink_figures(path):
    """Flink's best rows per CPU second of each query."""
    best = {}
    for line in path.read_text().splitlines():
        run = json.loads(line)
        if run.get("rows_per_cpu_s"):
            best[run["query"]] = max(best.get(run["query"], 0), run["rows_per_cpu_s"])
    return best


def main():
    options = arguments()
    if not options.rialto.exists():
        sys.exit(f"bench: {options.rialto} is not there; `make bench` builds it")
    data = events(options)
    rows = count_rows(data)
    flink = flink_figures(options.flink) if options.flink else {}
    ratios, failed = [], 0
    if options.output == "table":
        print(f"{sum(rows.values()):,} events, {options.shards} shards; rows: {rows}")
        print("query      rows/s   rows/CPU s  CPU s/M rows  peak MB" + "  x Flink" * bool(flink))
    for query in options.queries.split(","):
        result = measure(options, query, data, rows)
        if query in flink and "error" not in result:
            result["ratio"] = round(result["rows_per_cpu_s"] / flink[query], 2)
            ratios.append(result["ratio"])
        failed += "error" in result
        if options.output == "json":
            print(json.dumps(result), flush=True)
        elif "error" in result:
            print(f"{query:5} failed: {result['error']}", flush=True)
        else:
            cost = 1e6 * result["cpu_s"] / max(result["rows"], 1)
            ratio = f"{result['ratio']:9.2f}" if "ratio" in result else ""
            print(f"{query:5}{result['rows_per_s']:12,}{result['rows_per_cpu_s']:13,}"
                  f"{cost:14.3f}{result['peak_mb']:9.0f}{ratio}", flush=True)
    if ratios and options.output == "table":
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"geometric mean of {len(ratios)} queries: {mean:.2f} x Flink per CPU second")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
