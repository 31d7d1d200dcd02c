#!/usr/bin/env python3
"""Nexmark on Rialto, on a real Flink and on DuckDB, in turn over the same files of this machine.

    compare.py RIALTO [--events 2000000] [--queries q0,q5] [--runs 2] [--shards N]
               [--without flink,duckdb] [-o table|json]

A query runs `--runs` times on each before the next query's turn, Flink once more before that,
because the first run of a query is on a cold JVM. The run with the least CPU time counts. CPU time
is that of the whole process, its start and planning included, for Rialto; of the job on the
TaskManager alone for Flink; of the query alone for DuckDB, which answers it as a batch. Rows are
those of the streams that the query reads. DuckDB answers in memory, the others into a sink that
counts nothing. A query that fails is reported as such and counts as nothing.

Flink is set up by bench/flink/up.sh (and ended again), DuckDB by bench/nexmark/provision.sh; what
this machine cannot have is left out with a word on why.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NEXMARK = HERE / "nexmark"
QUERIES = ",".join(f"q{number}" for number in range(24))
DUCKDB = r"""
import json, pathlib, re, resource, sys
import duckdb
here, data, query, threads, runs = sys.argv[1:]
here = pathlib.Path(here)
db = duckdb.connect()
db.execute(f"SET threads = {threads}")
db.execute("SET enable_progress_bar = false")
ddl = (here / "ddl.sql").read_text()
for stream in ("person", "auction", "bid"):
    body = re.search(rf"CREATE TABLE {stream} \((.*?)WATERMARK", ddl, re.DOTALL)[1]
    kinds = dict(re.findall(r"^ +`?(\w+)`? (\w+)", body, re.MULTILINE))
    db.execute(f"CREATE VIEW {stream} AS FROM read_json('{data}/{stream}/*.json', columns = {kinds}, "
               "format = 'newline_delimited', maximum_object_size = 1000000)")
side = here / "side_input"
db.execute(f"CREATE VIEW side_input AS FROM read_csv('{side}/*.csv', "
           "columns = {'key': 'BIGINT', 'value': 'VARCHAR'})")
text = re.sub(r"--.*", "", (here / "duckdb" / f"{query}.sql").read_text()).split(";")[0]
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
costs = []
for _ in range(int(runs)):
    before = used()
    db.execute(f"CREATE OR REPLACE TEMP TABLE answer AS {text}")
    costs.append(used() - before)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"cpu_s": min(costs), "peak_mb": peak}))
"""


def arguments():
    parser = argparse.ArgumentParser(description="Nexmark on Rialto, Flink and DuckDB, in turn")
    parser.add_argument("rialto", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--queries", default=QUERIES)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--shards", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--without", default="")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    return parser.parse_args()


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "ended without a message"


class Rialto:
    name = "rialto"

    def __init__(self, options, data):
        self.options, self.data = options, data

    def run(self, query):
        command = [self.options.rialto, "bench", query, "--data", self.data, "--runs",
                   self.options.runs, "--shards", self.options.shards, "-o", "json"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            return {"error": last_line(done.stderr)}
        return json.loads(done.stdout)

    def end(self):
        pass


class Flink:
    name = "flink"

    def __init__(self, options, data):
        self.options, self.data = options, data
        subprocess.run([HERE / "flink" / "up.sh"], check=True, stdout=sys.stderr)

    def run(self, query):
        command = [sys.executable, HERE / "flink" / "run.py", "--data", self.data, "--queries",
                   query, "--runs", self.options.runs + 1]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        runs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        good = [run for run in runs[1:] if run.get("state") == "FINISHED"]
        if not good:
            return {"error": runs[0].get("error", runs[0]) if runs else last_line(done.stderr)}
        return min(good, key=lambda run: run["cpu_s"])

    def end(self):
        subprocess.run([HERE / "flink" / "down.sh"], check=False, stdout=sys.stderr)


class DuckDb:
    name = "duckdb"

    def __init__(self, options, data):
        self.options, self.data = options, data
        made = subprocess.run([NEXMARK / "provision.sh"], check=True, capture_output=True, text=True)
        self.python = made.stdout.strip().splitlines()[-1]

    def run(self, query):
        command = [self.python, "-c", DUCKDB, NEXMARK, self.data, query, self.options.shards,
                   self.options.runs]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode:
            return {"error": last_line(done.stderr)}
        return json.loads(last_line(done.stdout))

    def end(self):
        pass


def events(options):
    """The folder of the events; made if it is not there."""
    folder = ROOT / ".cache" / "bench" / f"{options.events}-{options.shards}"
    if not (folder / "bid").is_dir():
        command = [options.rialto, "nexmark", "--dir", folder, "--events", options.events,
                   "--parts", options.shards]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return folder


def systems(options, data):
    found = []
    without = options.without.split(",")
    for system in (Rialto, Flink, DuckDb):
        if system.name in without:
            continue
        try:
            found.append(system(options, data))
        except (OSError, subprocess.CalledProcessError) as error:
            detail = getattr(error, "stderr", None) or error
            print(f"compare: without {system.name}: {detail}", file=sys.stderr)
    return found


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def row(query, figures):
    """One line of the table: rates, costs, memory and ratios."""
    rialto = figures["rialto"]
    if "error" in rialto:
        return f"{query:5} failed: {rialto['error']}"
    rows = rialto["rows"]
    text = (f"{query:5}{rialto['rows_per_s']:12,.0f}{1e6 * rialto['cpu_s'] / rows:9.3f}"
            f"{rialto['peak_mb']:8.0f}")
    for name in ("flink", "duckdb"):
        other = figures.get(name)
        if other is None:
            continue
        if "error" in other:
            text += f"{'failed':>27}"
        else:
            text += (f"{1e6 * other['cpu_s'] / rows:11.3f}{other['peak_mb']:8.0f}"
                     f"{other['cpu_s'] / rialto['cpu_s']:7.1f}x")
    return text


def main():
    options = arguments()
    if not options.rialto.exists():
        sys.exit(f"compare: {options.rialto} is not there; `make bench` builds it")
    data = events(options).resolve()
    running = systems(options, data)
    ratios = {}
    try:
        if options.output == "table":
            print("CPU s for a million rows, peak MB, and how much more CPU the other takes")
            heads = "".join(f"{s.name:>11}  peak MB  ratio" for s in running[1:])
            print(f"query      rows/s   rialto peak MB{heads}", flush=True)
        for query in options.queries.split(","):
            figures = {system.name: system.run(query) for system in running}
            for name, figure in figures.items():
                if name != "rialto" and "error" not in figure and "error" not in figures["rialto"]:
                    ratio = figure["cpu_s"] / figures["rialto"]["cpu_s"]
                    ratios.setdefault(name, {})[query] = ratio
                elif "error" in figure:
                    print(f"compare: {query} on {name}: {figure['error']}", file=sys.stderr)
            if options.output == "json":
                print(json.dumps({"query": query, **figures}), flush=True)
            else:
                print(row(query, figures), flush=True)
    finally:
        for system in running:
            system.end()
    for name, by_query in ratios.items():
        least = min(by_query, key=by_query.get)
        print(f"{name}: geometric mean of {len(by_query)} queries {mean(by_query.values()):.1f}x the "
              f"CPU of Rialto, least {by_query[least]:.1f}x ({least})", file=sys.stderr)


if __name__ == "__main__":
    main()
