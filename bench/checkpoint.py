#!/usr/bin/env python3
"""How long checkpoints hold a job up, and how long it takes to go on after kill -9.

    bench/checkpoint.py [RIALTO] [--keys 5400000] [--rate 10000] [--seconds 60]

A GROUP BY over random keys of five columns: first so many rows as fast as they come that nearly
every key is there, then RATE rows a second. Checkpoints are taken every second. Prints what lies on
the disk, the pauses of the second part (what the job itself says of each checkpoint), and the
seconds from the start of a new process until it is ready and the view has a row more.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

JOB = """
SET 'execution.checkpointing.interval' = '1 s';
CREATE TABLE filling (k BIGINT, v BIGINT) WITH ('connector' = 'datagen',
  'rows-per-second' = '1000000000', 'number-of-rows' = '{fill}', 'fields.k.kind' = 'random',
  'fields.k.min' = '1', 'fields.k.max' = '{keys}', 'fields.v.min' = '1', 'fields.v.max' = '1000');
CREATE TABLE trickling (k BIGINT, v BIGINT) WITH ('connector' = 'datagen',
  'rows-per-second' = '{rate}', 'fields.k.kind' = 'random',
  'fields.k.min' = '1', 'fields.k.max' = '{keys}', 'fields.v.min' = '1', 'fields.v.max' = '1000');
CREATE TABLE totals (k BIGINT, n BIGINT, s BIGINT, most BIGINT, mean DOUBLE,
  PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'blackhole');
CREATE MATERIALIZED VIEW passed AS SELECT COUNT(*) AS n FROM trickling;
INSERT INTO totals SELECT k, COUNT(*), SUM(v), MAX(v), AVG(CAST(v AS DOUBLE))
FROM (SELECT * FROM filling UNION ALL SELECT * FROM trickling) GROUP BY k;
"""


class Job:
    """A process that runs the project and serves it."""

    def __init__(self, rialto, folder, said):
        self.began = time.monotonic()
        self.said = open(said, "w+", encoding="utf-8")
        command = [rialto, "run", "job.sql", "--state", "state", "--serve", "127.0.0.1:0"]
        self.child = subprocess.Popen(command, cwd=folder, stdout=self.said, stderr=self.said)
        self.url = self.wait(lambda: re.search(r"http://[0-9.:]+", self.output())).group(0)

    def output(self):
        return pathlib.Path(self.said.name).read_text(encoding="utf-8")

    def wait(self, found):
        while True:
            if self.child.poll() is not None:
                sys.exit(f"the job has ended: {self.output()}")
            answer = found()
            if answer:
                return answer
            time.sleep(0.01)

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def metrics(self):
        text = self.get("/metrics") or ""
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def rows(self, table):
        figures = self.metrics()
        return sum(value for name, value in figures.items()
                   if name.startswith("rialto_source_rows_total") and f'"{table}"' in name)

    def passed(self):
        answer = self.get("/v1/views/passed")
        rows = json.loads(answer)["rows"] if answer else []
        return rows[0]["n"] if rows else 0


def disk_mb(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*")
               if path.is_file()) / 1e6


def pauses(job, seconds):
    """Of each checkpoint within so many seconds: the pause, in milliseconds, and MB that changed."""
    found, last, end = [], None, time.monotonic() + seconds
    while time.monotonic() < end:
        figures = job.metrics()
        epoch = figures.get("rialto_checkpoint_epoch")
        if epoch != last and last is not None:
            found.append((figures["rialto_checkpoint_pause_seconds"] * 1000,
                          figures["rialto_checkpoint_changed_bytes"] / 1e6))
        last = epoch
        time.sleep(0.05)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rialto", nargs="?", default="rialto")
    parser.add_argument("--keys", type=int, default=5_400_000)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    rialto = os.path.abspath(arguments.rialto) if "/" in arguments.rialto else arguments.rialto
    with tempfile.TemporaryDirectory() as folder:
        # So many draws leave one key in twenty out.
        fill = arguments.keys * 3
        job = JOB.format(fill=fill, keys=arguments.keys, rate=arguments.rate)
        pathlib.Path(folder, "job.sql").write_text(job, encoding="utf-8")
        first = Job(rialto, folder, f"{folder}/first.log")
        first.wait(lambda: first.rows("filling") >= fill)
        time.sleep(5)
        found = pauses(first, arguments.seconds)
        times = sorted(pause for pause, _ in found)
        changed = statistics.mean(mb for _, mb in found)
        at = lambda share: times[min(int(len(times) * share), len(times) - 1)]
        print(f"state on the disk {disk_mb(f'{folder}/state'):,.0f} MB; {len(found)} checkpoints, "
              f"{changed:,.1f} MB changed in each")
        print(f"pause: p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, greatest {times[-1]:.1f} ms")
        before = first.passed()
        first.child.send_signal(signal.SIGKILL)
        first.child.wait()
        second = Job(rialto, folder, f"{folder}/second.log")
        second.wait(lambda: second.get("/readyz"))
        ready = time.monotonic() - second.began
        second.wait(lambda: second.passed() > before)
        on = time.monotonic() - second.began
        print(f"after kill -9: ready after {ready:.1f} s, ahead of where it was after {on:.1f} s")
        second.child.send_signal(signal.SIGTERM)
        second.child.wait()


if __name__ == "__main__":
    main()
