#!/usr/bin/env python3
"""Runs Nexmark queries with Rialto and prints one JSON line a run.

    bench/rialto.py --rialto PATH --data DIR [--queries q0,q1,q5] [--runs 3] [--shards N]

A line holds: query, run, state, wall_s (of the whole process, its start included), cpu_s (user and
system), peak_mb (resident), rows (input rows of the streams that the query reads), rows_per_s,
rows_per_cpu_s, load. Standard library only; same fields as bench/flink/run.py.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
NEXMARK = HERE / "nexmark"
STREAMS = ("person", "auction", "bid")
QUERIES = [f"q{n}" for n in range(24)]
BLACKHOLE = "'connector' = 'blackhole'"


def count_lines(data: pathlib.Path, stream: str) -> int:
    total = 0
    for path in sorted((data / stream).iterdir()):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                total += chunk.count(b"\n")
    return total


def script(query: str, data: pathlib.Path, out: pathlib.Path, sink: str) -> str:
    text = (NEXMARK / "ddl.sql").read_text() + "\n" + (NEXMARK / f"{query}.sql").read_text()
    values = {"DATA": data, "SINK": sink, "OUT": out, "SIDE": NEXMARK / "side_input"}
    for name, value in values.items():
        text = text.replace("${" + name + "}", str(value))
    return text


def streams_of(query: str) -> list[str]:
    text = re.sub(r"--.*", "", (NEXMARK / f"{query}.sql").read_text())
    return [s for s in STREAMS if re.search(rf"\b{s}\b", text)]


def run(rialto: str, sql: str, shards: int, timeout: int) -> tuple[str, float, float, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(sql)
        file.flush()
        command = [rialto, "sql", "-f", file.name, "--shards", str(shards)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                code = process.wait(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = "timeout"
            wall = time.monotonic() - started
            errors.seek(0)
            text = errors.read().strip()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    state = "FINISHED" if code == 0 else f"FAILED {code}: {text[-400:]}"
    return state, wall, cpu, after.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rialto", default="rialto")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--queries", default=",".join(QUERIES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--shards", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--sink", default=BLACKHOLE)
    options = parser.parse_args()
    counts = {s: count_lines(options.data, s) for s in STREAMS}
    for query in options.queries.split(","):
        rows = sum(counts[s] for s in streams_of(query))
        for number in range(1, options.runs + 1):
            with tempfile.TemporaryDirectory() as out:
                sql = script(query, options.data.resolve(), pathlib.Path(out), options.sink)
                state, wall, cpu, peak = run(options.rialto, sql, options.shards, options.timeout)
            line = {
                "system": "rialto",
                "query": query,
                "run": number,
                "state": state,
                "wall_s": round(wall, 3),
                "cpu_s": round(cpu, 3),
                # The greatest of all runs so far: the kernel keeps no mark for each child.
                "peak_mb": round(peak),
                "rows": rows,
                "rows_per_s": round(rows / wall) if wall else None,
                "rows_per_cpu_s": round(rows / cpu) if cpu else None,
                "load": round(os.getloadavg()[0], 1),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
