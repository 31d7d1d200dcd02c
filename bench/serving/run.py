#!/usr/bin/env python3
"""How fast rows are read by key while a job runs, and how soon an event can be read.

    bench/serving/run.py RIALTO [--rate EVENTS/S] [--seconds N] [--readers N]

Starts `rialto run --serve` over serving.sql in a fresh folder. Meanwhile one process sends events at
the rate, READERS processes read rows of the view by their key, one after the other, and one more
sends an event with a key of its own and asks for its row until it is there. Prints, in milliseconds:
how long a read took; how long an event took to be acknowledged (it is on the disk then), and from
there until it could be read; and the CPU seconds of the server.

The readers are Python: `server_us_per_read` says what a read costs the server where --rate is 0.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
STORES = 5000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_readable(base, process):
    """Waits until a step has ended."""
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"rialto ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{base}/v1/views", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit("no view could be read within 30 s")


def cpu_seconds(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


class Connection:
    """A connection that stays open."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, line, body=""):
        """Sends a request; answers the status."""
        data = body.encode()
        head = (f"{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
                f"content-length: {len(data)}\r\n\r\n")
        self.socket.sendall(head.encode() + data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, rest = answer.split(b"\r\n\r\n", 1)
        length = 0
        for header in head.lower().split(b"\r\n"):
            if header.startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        while len(rest) < length:
            rest += self.receive()
        return int(head.split(b" ")[1])

    def receive(self):
        got = self.socket.recv(65536)
        if not got:
            sys.exit("the server has closed a connection")
        return got


def row(event_id, store):
    return json.dumps({"event_id": event_id, "store": store, "qty": 1, "price": "2.50"})


def send(port, rate, seconds, results):
    """Sends events at a rate; answers how many."""
    connection, began, sent = Connection(port), time.monotonic(), 0
    while time.monotonic() - began < seconds:
        due = int((time.monotonic() - began) * rate)
        if due <= sent:
            time.sleep(0.005)
            continue
        body = "\n".join(row(f"b{n}", n * 7919 % STORES) for n in range(sent, due))
        if connection.ask("POST /v1/events/sales", body) != 200:
            sys.exit("events were refused")
        sent = due
    results.put(sent)


def read(port, seconds, seed, results):
    """Reads rows by key; answers how long each took."""
    connection, began, latencies, n = Connection(port), time.monotonic(), [], seed
    while time.monotonic() - began < seconds:
        n = (n * 1103515245 + 12345) & 0x7FFFFFFF
        asked = time.perf_counter()
        if connection.ask(f"GET /v1/views/revenue/{n % STORES}") != 200:
            sys.exit(f"store {n % STORES} cannot be read")
        latencies.append(time.perf_counter() - asked)
    results.put(latencies)


def follow(port, seconds):
    """Sends events with keys of their own: until acknowledged, and from there until readable."""
    connection, began, acknowledged, readable = Connection(port), time.monotonic(), [], []
    while time.monotonic() - began < seconds:
        store = 1_000_000 + len(readable)
        sent = time.perf_counter()
        connection.ask("POST /v1/events/sales", row(f"own-{store}", store))
        taken = time.perf_counter()
        while connection.ask(f"GET /v1/views/revenue/{store}") != 200:
            time.sleep(0.0005)
        readable.append(time.perf_counter() - taken)
        acknowledged.append(taken - sent)
        time.sleep(0.01)
    return acknowledged, readable


def at(latencies, share):
    place = min(int(len(latencies) * share), len(latencies) - 1)
    return round(sorted(latencies)[place] * 1000, 2)


def measure(arguments, port, server):
    """Runs the load over a server that answers."""
    first = Connection(port)
    first.ask("POST /v1/events/sales", "\n".join(row(f"f{n}", n) for n in range(STORES)))
    while first.ask(f"GET /v1/views/revenue/{STORES - 1}") != 200:
        time.sleep(0.01)
    reads, sent = multiprocessing.Queue(), multiprocessing.Queue()
    seconds = arguments.seconds
    work = [multiprocessing.Process(target=read, args=(port, seconds, n + 1, reads))
            for n in range(arguments.readers)]
    if arguments.rate:
        work.append(multiprocessing.Process(
            target=send, args=(port, arguments.rate, seconds, sent)))
    before = cpu_seconds(server.pid)
    for process in work:
        process.start()
    acknowledged, readable = follow(port, seconds - 1)
    latencies = [latency for _ in range(arguments.readers) for latency in reads.get()]
    spent = cpu_seconds(server.pid) - before
    figures = {
        "events": sent.get() if arguments.rate else 0, "reads": len(latencies),
        "reads_per_second": round(len(latencies) / seconds),
        "read_p50_ms": at(latencies, 0.5), "read_p99_ms": at(latencies, 0.99),
        "followed": len(readable),
        "acknowledged_p50_ms": at(acknowledged, 0.5), "acknowledged_p99_ms": at(acknowledged, 0.99),
        "then_readable_p50_ms": at(readable, 0.5), "then_readable_p99_ms": at(readable, 0.99),
        "server_cpu_seconds": round(spent, 2),
    }
    if not arguments.rate:
        figures["server_us_per_read"] = round(spent / len(latencies) * 1e6)
    for process in work:
        process.join()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rialto")
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--readers", type=int, default=1)
    arguments = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.rialto, "run", str(HERE / "serving.sql"), "-D", f"LOG={folder}/sales",
                   "--serve", f"127.0.0.1:{port}", "--rows", "1"]
        with open(f"{folder}/errors", "w", encoding="utf-8") as errors:
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            wait_readable(f"http://127.0.0.1:{port}", server)
            figures = measure(arguments, port, server)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
