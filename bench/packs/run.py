#!/usr/bin/env python3
"""What all packs together cost, over the events of a simulated shop as fast as they are read.

    bench/packs/run.py RIALTO [--log] [--days 30] [--customers 2000] [--shards 1]
                              [--packs sales,inventory]

Makes a project of the packs, runs it with state on this disk, and prints CPU seconds of the
process: of its start, and behind it for the events; and the operators that take the most. The shop
makes its events while they are read; with --log they were written to embedded logs before, as JSON.
The rate is up to the moment when all but one in two hundred of the events were taken: what is
decided goes on for ever, a few rows at a time.
"""

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

# All is read when in so many seconds no more than this part of the events has come.
QUIET = 4
REST = 1 / 200
PAUSE = 0.1


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    found = re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())
    return int(found.group(1)) / 1024


def metrics(url):
    try:
        text = urllib.request.urlopen(f"{url}/metrics").read().decode()
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return {}  # It is not ready yet.
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def rows_of(figures):
    return sum(v for name, v in figures.items() if name.startswith("rialto_source_rows_total"))


def wait_for_address(said, process):
    while process.poll() is None:
        found = re.search(r"http://[0-9.:]+", open(said).read())
        if found:
            return found.group(0)
        time.sleep(0.1)
    sys.exit(f"it has ended: {open(said).read()}")


def world(arguments):
    named = {"SPEED": "max", "DAYS": arguments.days, "HISTORY": 0,
             "CUSTOMERS": arguments.customers, "DECISIONS": ""}
    return [part for name, value in named.items() for part in ("-D", f"SHOP_{name}={value}")]


def write_down(arguments, folder, place_of):
    """Has the shop trade into other tables than those of a project in `folder`: `place_of` gives the
    options of each. Answers the folder that the project which does so is in."""
    fill, model = f"{folder}.fill", f"{folder}/packs/model"
    shop = open(f"{model}/from_shop.sql").read()
    os.makedirs(fill)
    with open(f"{fill}/rialto.toml", "w") as file:
        file.write(f'include = ["{model}/sql"]\n[variables]\nSHOP_SEED = "1"\n')
    with open(f"{fill}/fill.sql", "w") as file:
        file.write(f"CREATE DATABASE simulated;\nUSE simulated;\n{shop}\nUSE `default_database`;\n")
        for table in re.findall(r"CREATE TABLE (\w+)", shop):
            file.write(f"CREATE TABLE {table} WITH ({place_of(fill, table)}) LIKE model.{table};\n"
                       f"INSERT INTO {table} SELECT * FROM simulated.{table};\n")
    command = [arguments.rialto, "run", fill, "--state", f"{fill}/state", *world(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the shop could not be written down: {done.stderr}")
    return fill


def fill_logs(arguments, folder):
    """Has the shop trade into the logs that a project in `folder` reads."""
    write_down(arguments, folder, lambda _, table: (
        f"'connector' = 'log', 'path' = '{folder}/.rialto/log/{table}',"
        f" 'partitions' = '{arguments.shards}'"))


def project(rialto, folder, packs, origin):
    listed = subprocess.run([rialto, "init", "--list"], check=True, capture_output=True, text=True)
    all_packs = [line.split()[0] for line in listed.stdout.splitlines() if line.split()]
    chosen = packs.split(",") if packs else all_packs
    command = [rialto, "init", folder, "--from", origin]
    subprocess.run([*command, "--pack", ",".join(chosen)], check=True, capture_output=True)
    return chosen


def run(arguments, folder):
    state, said = f"{folder}/.rialto/state", f"{folder}.said"
    command = [arguments.rialto, "run", folder, "--state", state, "--serve", "127.0.0.1:0",
               "--shards", str(arguments.shards), *world(arguments)]
    with open(said, "w") as stderr, open(os.devnull, "w") as stdout:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    try:
        url = wait_for_address(said, process)
        began, start = time.monotonic(), cpu_seconds(process.pid)
        seen = [(0, began, start)]
        while True:
            time.sleep(PAUSE)
            figures, now = metrics(url), time.monotonic()
            rows = rows_of(figures)
            seen.append((rows, now, cpu_seconds(process.pid)))
            before = next(was for was, at, _ in reversed(seen) if at <= now - QUIET or at == began)
            if before and rows - before <= rows * REST:
                break
        rows, at, cpu = next(s for s in seen if s[0] >= rows * (1 - REST))
        return start, rows, cpu - start, at - began, peak_mb(process.pid), figures
    finally:
        process.terminate()
        process.wait()


def tell_busiest(figures):
    busy = collections.Counter()
    for name, value in figures.items():
        if name.startswith("rialto_operator_seconds_total"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
            busy[f"{labels['operator']} of {labels['outputs'].split(',')[0]}"] += value
    for name, seconds in busy.most_common(5):
        print(f"operator   {seconds:.2f} s  {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rialto")
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--packs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = f"{scratch}/shop"
        origin = "log" if arguments.log else "shop"
        packs = project(arguments.rialto, folder, arguments.packs, origin)
        if arguments.log:
            fill_logs(arguments, folder)
        start, rows, cpu, took, peak, figures = run(arguments, folder)
    print(f"packs      {len(packs)}: {', '.join(packs)}")
    print(f"start      {start:.1f} CPU s until it answers")
    print(f"events     {rows:,.0f} in {took:.1f} s, {cpu:.1f} CPU s, up to {peak:,.0f} MB")
    print(f"rate       {rows / cpu:,.0f} events a CPU second, {rows / took:,.0f} a second")
    wait = figures.get("rialto_exchange_wait_seconds_total", 0)
    print(f"waiting    {wait:.1f} s of the shards for one another")
    tell_busiest(figures)


if __name__ == "__main__":
    main()
