#!/usr/bin/env python3
"""How many rows a second come in over HTTP, each durable when it is acknowledged.

    bench/ingest/run.py RIALTO LOAD [--rows N] [--connections N] [--batch N] [--runs N]

RIALTO is the command, LOAD the example `ingest_load` of crates/server. Starts `rialto run --serve`
over ingest.sql in a fresh folder, sends the rows over loopback, stops the job with SIGTERM, and
checks that the view has counted every row: none lost, none twice.
"""

import argparse
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


def wait_ready(base, process):
    """Waits until the job runs."""
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"rialto ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=1) as answer:
                if json.load(answer)["ready"]:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit("rialto was not ready within 30 s")


def wait_idle(pid):
    """Waits until the job has read what was sent: it stops between two steps, not at the end of the log."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent = None
    for _ in range(120):
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        now = (int(stat[11]) + int(stat[12])) / ticks
        if spent is not None and now - spent < 0.1:
            return
        spent = now
        time.sleep(0.5)


def run_once(arguments, port):
    """One run: the figures of the load, with the CPU seconds of the server."""
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.rialto, "run", str(HERE / "ingest.sql"), "-D", f"LOG={folder}/sales",
                   "--serve", f"127.0.0.1:{port}", "--rows", "1000"]
        errors = open(f"{folder}/errors", "w+", encoding="utf-8")
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            wait_ready(f"http://127.0.0.1:{port}", server)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            load = subprocess.run(
                [arguments.load, f"127.0.0.1:{port}", "sales", str(arguments.rows),
                 str(arguments.connections), str(arguments.batch)],
                capture_output=True, text=True, check=False)
            if load.returncode != 0:
                sys.exit(load.stderr.strip())
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            wait_idle(server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            out, _ = server.communicate(timeout=60)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = json.loads(load.stdout)
    counted = 0
    for line in out.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[1].isdigit():
            counted += int(cells[1])
    if counted != figures["rows"]:
        sys.exit(f"{figures['rows']} rows were acknowledged, the view has {counted}")
    figures["load_cpu_seconds"] = round(cpu(after) - cpu(before), 2)
    figures["server_cpu_seconds"] = round(cpu(end) - cpu(after), 2)
    return figures


def cpu(usage):
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rialto")
    parser.add_argument("load")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--port", type=int, default=18173)
    arguments = parser.parse_args()
    for _ in range(arguments.runs):
        print(json.dumps(run_once(arguments, arguments.port)), flush=True)


if __name__ == "__main__":
    main()
