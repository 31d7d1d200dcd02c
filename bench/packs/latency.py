#!/usr/bin/env python3
"""How soon an event is seen while all packs run: in a view, and in a decision.

    bench/packs/latency.py RIALTO [--rate 10000] [--seconds 30] [--shards 1]

A simulated shop's events are written down, dated anew as if they happened now, and posted at the
rate to a project of all packs that has the shop's catalogue and some events of the day before.
Meanwhile, ten times a second, a customer of its own looks at something. Prints, in milliseconds: how
long that event took to be acknowledged (it is on the disk then); from there until a view has it that
is read by its key (`behavior_by_user_hour`); until the decision what to recommend is pushed over a
stream of changes (`recommend_decision`); and until the same comes back through the logs of all
decisions (`decision_state`), which takes two checkpoints. Then how many events the shop had sent, and
the server's CPU seconds and memory.
"""

import argparse
import datetime
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import run

STAMP = re.compile(rb'"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z?)"')
DAY = re.compile(rb'"business_date":"[-0-9]+"')
NDJSON = {"Content-Type": "application/x-ndjson"}
BATCHES_A_SECOND = 20
# So long before its time the first batch is ready; to date all anew takes a while.
AHEAD = 2
SETTLED = 5


def tables(folder):
    """The tables of the model with their time, events and dimensions, as the project has them."""
    found = {}
    for name in sorted(os.listdir(f"{folder}/packs/model/sql")):
        text = open(f"{folder}/packs/model/sql/{name}").read()
        for table, columns in re.findall(r"CREATE TABLE model\.(\w+) \((.*?)\n\) WITH", text, re.S):
            time_of = re.search(r"WATERMARK FOR (\w+)", columns)
            found[table] = time_of.group(1) if time_of else None
    shop = open(f"{folder}/packs/model/from_shop.sql").read()
    of_shop = re.findall(r"CREATE TABLE (\w+) WITH", shop)
    events = [t for t in of_shop if found[t] == "event_time"]
    return events, [t for t in of_shop if t not in events]


def in_files(fill, table):
    return f"'connector' = 'filesystem', 'format' = 'json', 'path' = '{fill}/{table}'"


def lines(fill, table):
    found = []
    for root, _, names in os.walk(f"{fill}/{table}"):
        for name in sorted(n for n in names if not n.startswith((".", "_"))):
            found += open(os.path.join(root, name), "rb").read().splitlines()
    return found


def instant(stamp):
    text = f"{stamp.group(1).decode()}T{stamp.group(2).decode()}{(stamp.group(3) or b'').decode()}"
    return datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()


def dated(line, delta, today):
    """A row with all its times moved."""
    def moved(stamp):
        at = datetime.datetime.fromtimestamp(instant(stamp) + delta, datetime.timezone.utc)
        return f'"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}{stamp.group(4).decode()}"'.encode()
    return DAY.sub(b'"business_date":"%s"' % today, STAMP.sub(moved, line))


def midnight():
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def in_order(fill, events):
    """All events: when they happened, their table and their line."""
    rows = []
    for table in events:
        for line in lines(fill, table):
            field = line.index(b'"event_time":') + len(b'"event_time":')
            rows.append((instant(STAMP.match(line, field)), table, line))
    return sorted(rows, key=lambda row: row[0])


def of_yesterday(rows):
    """The lines of each table, the last of all an hour before midnight."""
    day = midnight() - datetime.timedelta(days=1)
    moved = midnight().timestamp() - 3600 - rows[-1][0] if rows else 0
    history = {}
    for _, table, line in rows:
        history.setdefault(table, []).append(dated(line, moved, f"{day:%Y-%m-%d}".encode()))
    return history


def plan(arguments, rows):
    """For each table the batches that are posted, with the seconds after the start."""
    # A second of preparation for 20,000 rows, as measured: the start must not be over by then.
    start = time.time() + AHEAD + len(rows) / 20_000
    today = f"{midnight():%Y-%m-%d}".encode()
    batches = {}
    for number, (at, table, line) in enumerate(rows):
        due = number / arguments.rate
        of = batches.setdefault(table, {})
        moved = dated(line, start + due - at, today)
        of.setdefault(int(due * BATCHES_A_SECOND) + 1, []).append(moved)
    if time.time() > start:
        sys.exit("this machine is too slow to prepare the events in time")
    return start, {table: [(batch / BATCHES_A_SECOND, b"\n".join(rows))
                           for batch, rows in sorted(of.items())] for table, of in batches.items()}


def settled(url):
    """Waits until all that was posted is taken, and in a checkpoint."""
    before = -1
    while before != (now := run.rows_of(run.metrics(url))):
        before = now
        time.sleep(SETTLED)


def post(connection, table, body):
    try:
        connection.request("POST", f"/v1/events/{table}", body, NDJSON)
        answer = connection.getresponse()
    except (ConnectionError, http.client.HTTPException):
        # The server lets go of a connection without requests. What was taken is not taken twice.
        connection.close()
        connection.request("POST", f"/v1/events/{table}", body, NDJSON)
        answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        sys.exit(f"{table}: {answer.status} {said[:500]}")


def feed(address, table, start, batches, late):
    connection = http.client.HTTPConnection(address)
    for due, body in batches:
        time.sleep(max(0, start + due - time.time()))
        post(connection, table, body)
        late.append(time.time() - start - due)


class Stream(threading.Thread):
    """Notes when a row of a customer came first over a view's stream of changes."""

    def __init__(self, address, view):
        super().__init__(daemon=True)
        self.seen = {}
        self.connection = http.client.HTTPConnection(address)
        self.connection.request("GET", f"/v1/views/{view}/changes?customer_id=gte.probe-"
                                       f"&customer_id=lt.probe.")
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            sys.exit(f"{view}: {self.answer.read()[:500]}")
        self.start()

    def run(self):
        for line in self.answer:
            now = time.perf_counter()
            for customer in re.findall(rb'"customer_id":"(probe-\d+)"', line):
                self.seen.setdefault(customer.decode(), now)


def probe(address, start, seconds, product):
    """A customer after the other looks at something: when it was sent, taken, and to be read."""
    sender, reader = http.client.HTTPConnection(address), http.client.HTTPConnection(address)
    found, number = [], 0
    time.sleep(max(0, start - time.time()))
    while time.time() < start + seconds:
        time.sleep(0.1)
        customer, now = f"probe-{number}", datetime.datetime.now(datetime.timezone.utc)
        number += 1
        row = {"event_id": customer, "event_time": f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03}Z",
               "source": "probe", "channel": "web", "customer_id": customer, "session_id": customer,
               "action": "product_viewed", "product_id": product}
        sent = time.perf_counter()
        post(sender, "behavior_event", json.dumps(row).encode())
        taken = time.perf_counter()
        path = f"/v1/views/behavior_by_user_hour?hour={now:%Y-%m-%dT%H}:00:00&user_id={customer}"
        while True:
            reader.request("GET", path)
            answer = reader.getresponse()
            said = answer.read()
            if answer.status != 200:
                sys.exit(f"{path}: {answer.status} {said[:500]}")
            if b'"user_id"' in said:
                break
            if time.perf_counter() - taken > 30:
                sys.exit(f"{customer} cannot be read: {said[:500]}")
            time.sleep(0.002)
        found.append((customer, sent, taken, time.perf_counter()))
    return found


def told(what, seconds):
    if not seconds:
        print(f"{what:28} never")
        return
    at = sorted(seconds)
    share = lambda part: at[min(int(len(at) * part), len(at) - 1)] * 1000
    print(f"{what:28} p50 {share(.5):8.1f}   p99 {share(.99):8.1f}   max {share(1):8.1f} ms"
          f"   of {len(at)}")


def measure(arguments, folder):
    events, dimensions = tables(folder)
    fill = run.write_down(arguments, folder, in_files)
    said = f"{folder}.said"
    command = [arguments.rialto, "run", folder, "--state", f"{folder}/.rialto/state", "--serve",
               "127.0.0.1:0", "--shards", str(arguments.shards)]
    with open(said, "w") as stderr, open(os.devnull, "w") as stdout:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    try:
        url = run.wait_for_address(said, process)
        while not run.metrics(url):
            time.sleep(0.1)
        address = url.removeprefix("http://")
        connection = http.client.HTTPConnection(address)
        product = json.loads(lines(fill, "product")[0])["product_id"]
        rows, sent = in_order(fill, events), int(arguments.rate * arguments.seconds)
        history = {table: lines(fill, table) for table in dimensions}
        history |= of_yesterday(rows[:-sent])
        for table, of in history.items():
            for first in range(0, len(of), 5000):
                post(connection, table, b"\n".join(of[first:first + 5000]))
        settled(url)
        start, batches = plan(arguments, rows[-sent:])
        streams = {view: Stream(address, view) for view in ("recommend_decision", "decision_state")}
        late = []
        feeders = [threading.Thread(target=feed, args=(address, table, start, of, late))
                   for table, of in batches.items()]
        [feeder.start() for feeder in feeders]
        time.sleep(max(0, start - time.time()))
        cpu, rows = run.cpu_seconds(process.pid), run.rows_of(run.metrics(url))
        probes = probe(address, start + arguments.warm, arguments.seconds - arguments.warm - 3, product)
        [feeder.join() for feeder in feeders]
        took = time.time() - start
        cpu = run.cpu_seconds(process.pid) - cpu
        time.sleep(3)
        figures = run.metrics(url)
        rows = run.rows_of(figures) - rows
        told("acknowledged", [taken - sent for _, sent, taken, _ in probes])
        told("read in a view, from there", [read - taken for _, _, taken, read in probes])
        for view, stream in streams.items():
            told(f"pushed by {view}"[:28], [stream.seen[c] - taken for c, _, taken, _ in probes
                                            if c in stream.seen])
        sent = sum(body.count(b"\n") + 1 for of in batches.values() for _, body in of)
        print(f"sent {sent:,} events in {took:.1f} s, the latest batch {max(late) * 1000:.0f} ms late;"
              f" {rows:,.0f} rows taken in, {cpu:.1f} CPU s, up to {run.peak_mb(process.pid):,.0f} MB")
        run.tell_busiest(figures)
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rialto")
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--warm", type=float, default=10, help="seconds before the first probe")
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--packs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = f"{scratch}/shop"
        run.project(arguments.rialto, folder, arguments.packs, "http")
        measure(arguments, folder)


if __name__ == "__main__":
    main()
