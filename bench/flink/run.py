#!/usr/bin/env python3
"""Runs Nexmark queries on the local Flink cluster and prints one JSON line a run.

    bench/flink/up.sh
    bench/flink/run.py --data DIR [--queries q0,q1,q5] [--runs 3] [--timeout 600]
    bench/flink/down.sh

A line holds: query, run, state, wall_s (the job's duration by the JobManager), cpu_s (of the
TaskManager's process), jobmanager_cpu_s, peak_mb (resident memory of the TaskManager during the
job), rows (input rows of the streams that the query reads), rows_per_s, rows_per_cpu_s, load.
The first run of a query is on a cold JVM; take the later ones. Standard library only.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
STREAMS = ("person", "auction", "bid")
SYSTEM = "flink-2.3.0"


def bench_dir() -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("RIALTO_BENCH_DIR") or f"{cache}/rialto/flink/bench")


def provisioned() -> dict[str, str]:
    """The shell assignments of provision.sh as a dictionary."""
    text = subprocess.check_output([REPO / "tests/flink/provision.sh", "--print"], text=True)
    return dict(word.split("=", 1) for word in shlex.split(text))


def cpu_seconds(pid: int) -> float:
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid: int) -> float:
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def reset_peak(pid: int) -> None:
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def count_rows(data: pathlib.Path) -> dict[str, int]:
    rows = {}
    for stream in STREAMS:
        files = sorted((data / stream).glob("*.json"))
        if not files:
            sys.exit(f"run: no {stream}/*.json in {data}; generate the events first")
        rows[stream] = 0
        for path in files:
            with open(path, "rb") as file:
                while chunk := file.read(1 << 20):
                    rows[stream] += chunk.count(b"\n")
    return rows


def streams_of(sql: str) -> list[str]:
    return [s for s in STREAMS if re.search(rf"\b(FROM|JOIN|TABLE)\s+{s}\b", sql)]


class Driver:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.data = pathlib.Path(arguments.data).resolve()
        self.folder = bench_dir()
        self.pids = {r: self.pid(r) for r in ("taskmanager", "jobmanager")}
        self.rows = count_rows(self.data)
        self.port = os.environ.get("RIALTO_FLINK_PORT", "18081")
        self.flink = provisioned()

    def pid(self, role: str) -> int:
        file = self.folder / f"{role}.pid"
        if not file.exists():
            sys.exit("run: no cluster is running; start it with bench/flink/up.sh")
        return int(file.read_text())

    def substituted(self, source: pathlib.Path, target: pathlib.Path, out: str) -> pathlib.Path:
        text = source.read_text()
        for name, value in {
            "${DATA}": str(self.data),
            "${SINK}": self.arguments.sink,
            "${OUT}": out,
            "${SIDE}": str(REPO / "bench/nexmark/side_input"),
        }.items():
            text = text.replace(name, value)
        path = target / source.name
        path.write_text(text)
        return path

    def run(self, queries: list[str], run: int) -> None:
        """One client submits all queries in turn; its start-up is not part of any figure."""
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder)
            ddl = self.substituted(REPO / "bench/nexmark/ddl.sql", target, folder)
            files = [
                self.substituted(REPO / f"bench/nexmark/{query}.sql", target, folder)
                for query in queries
            ]
            command = [
                self.flink["FLINK_JAVA"], "-Xmx512m", "-XX:+UseSerialGC",
                *self.flink["FLINK_OPENS"].split(),
                "-cp", f"{self.folder}/classes:{self.flink['FLINK_CP']}",
                "SqlSubmit", str(self.folder / "conf"), str(ddl), *map(str, files),
            ]
            self.follow(command, run)

    def follow(self, command: list[str], run: int) -> None:
        taskmanager, jobmanager = self.pids["taskmanager"], self.pids["jobmanager"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        before = (0.0, 0.0)
        timer = None
        for line in process.stdout:
            kind, query, rest = (line.strip().split(" ", 2) + ["", ""])[:3]
            if kind == "START":
                reset_peak(taskmanager)
                before = (cpu_seconds(taskmanager), cpu_seconds(jobmanager))
                timer = threading.Timer(self.arguments.timeout, self.cancel, (rest,))
                timer.start()
                continue
            if timer:
                timer.cancel()
            if kind == "END":
                cpu = cpu_seconds(taskmanager) - before[0]
                manager = cpu_seconds(jobmanager) - before[1]
                self.report(query, run, rest, cpu, manager)
            elif kind == "FAIL":
                print(json.dumps({"system": SYSTEM, "query": query, "run": run,
                                  "state": "FAILED", "error": rest}), flush=True)
        if process.wait() != 0:
            sys.exit(f"run: the client ended with code {process.returncode}")

    def cancel(self, job: str) -> None:
        """Ends a job that took too long; the client then reports it as failed and goes on."""
        url = f"http://127.0.0.1:{self.port}/jobs/{job}"
        urllib.request.urlopen(urllib.request.Request(url, method="PATCH"), timeout=10)

    def report(self, query: str, run: int, job: str, cpu: float, manager: float) -> None:
        url = f"http://127.0.0.1:{self.port}/jobs/{job}"
        detail = json.load(urllib.request.urlopen(url, timeout=10))
        wall = detail["duration"] / 1000
        sql = (REPO / f"bench/nexmark/{query}.sql").read_text()
        rows = sum(self.rows[s] for s in streams_of(sql))
        print(json.dumps({
            "system": SYSTEM,
            "query": query,
            "run": run,
            "state": detail["state"],
            "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 2),
            "jobmanager_cpu_s": round(manager, 2),
            "peak_mb": round(peak_mb(self.pids["taskmanager"])),
            "rows": rows,
            "rows_per_s": round(rows / wall) if wall else None,
            "rows_per_cpu_s": round(rows / cpu) if cpu else None,
            "load": os.getloadavg()[0],
        }), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with person, auction, bid")
    parser.add_argument("--queries", default=",".join(f"q{i}" for i in range(24)))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one query")
    parser.add_argument("--sink", default="'connector' = 'blackhole'")
    arguments = parser.parse_args()
    queries = [query.strip() for query in arguments.queries.split(",")]
    for query in queries:
        if not (REPO / f"bench/nexmark/{query}.sql").exists():
            sys.exit(f"run: no such query: {query} (there are q0 to q23)")
    driver = Driver(arguments)
    for run in range(arguments.runs):
        driver.run(queries, run)


if __name__ == "__main__":
    main()
