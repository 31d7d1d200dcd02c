#!/usr/bin/env python3
"""How many rows a second are read by key, over HTTP, while a project runs.

    bench/reads.py ADDRESS VIEW [--connections 8] [--seconds 10] [--pid PID] [--rate N]

The server runs already (`rialto run … --serve ADDRESS`). Keys are those of the view's first page.
Connections are kept; each has one request on its way. A thread that only waits takes no CPU time
of the server's core: with --pid the CPU seconds of the server are told beside the rate, so that
'reads per CPU second' is what one core does, whatever else the machine does meanwhile. --rate
sends so many a second instead of as many as possible: that is where a latency means something.
"""

import argparse
import json
import os
import socket
import statistics
import threading
import time
import urllib.parse
import urllib.request


def cpu_seconds(pid):
    """What a process has used so far, and its threads of the server alone."""
    tick = os.sysconf("SC_CLK_TCK")
    whole, server = 0.0, 0.0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as stat:
                text = stat.read()
        except FileNotFoundError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        used = (int(fields[11]) + int(fields[12])) / tick
        whole += used
        server += used if name == "http" else 0.0
    return whole, server


def keys_of(address, view, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(path):
        request = urllib.request.Request(f"http://{address}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    views = {v["name"]: v for v in get("/v1/views")["views"]}
    if view not in views or not views[view]["key"]:
        known = ", ".join(sorted(n for n, v in views.items() if v["key"]))
        raise SystemExit(f"there is no view '{view}' with a key; there are: {known}")
    key = views[view]["key"]
    rows = get(f"/v1/views/{view}?limit=1000")["rows"]
    if not rows:
        raise SystemExit(f"the view '{view}' has no rows yet")
    parts = [",".join(urllib.parse.quote(str(r[c]), safe="") for c in key) for r in rows]
    return [p for p in parts if p]


def read(address, requests, until, pause, latencies, wrong):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at, due = 0, time.perf_counter()
    while time.perf_counter() < until:
        if pause:
            due += pause
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
        request = requests[at % len(requests)]
        at += 1
        began = time.perf_counter()
        connection.sendall(request)
        answer = connection.recv(65536)
        head = answer.index(b"\r\n\r\n")
        mark = answer.index(b"content-length: ") + 16
        length = int(answer[mark : answer.index(b"\r", mark)])
        while len(answer) < head + 4 + length:
            answer += connection.recv(65536)
        latencies.append(time.perf_counter() - began)
        if not answer.startswith(b"HTTP/1.1 200"):
            wrong.append(answer[:80])
    connection.close()


def client(arguments, share, pipe):
    """A process: Python's threads would wait for one another."""
    requests, latencies, wrong = arguments["requests"], [], []
    until = arguments["until"]
    threads = [
        threading.Thread(
            target=read,
            args=(arguments["address"], requests[n:] + requests[:n], until, arguments["pause"],
                  latencies, wrong),
        )
        for n in range(share)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send((latencies, len(wrong)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("address")
    parser.add_argument("view")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, help="reads a second; as many as possible")
    parser.add_argument("--pid", type=int, help="of the server")
    parser.add_argument("--token", help="where the server needs one")
    options = parser.parse_args()
    keys = keys_of(options.address, options.view, options.token)
    more = f"authorization: Bearer {options.token}\r\n" if options.token else ""
    requests = [
        f"GET /v1/views/{options.view}/{key} HTTP/1.1\r\nhost: {options.address}\r\n{more}\r\n"
        .encode()
        for key in keys
    ]
    import multiprocessing

    pause = options.connections / options.rate if options.rate else None
    before, began = cpu_seconds(options.pid) if options.pid else None, time.perf_counter()
    arguments = {
        "address": options.address, "requests": requests, "pause": pause,
        "until": time.perf_counter() + options.seconds,
    }
    pipes = []
    for n in range(options.processes):
        share = options.connections // options.processes
        share += 1 if n < options.connections % options.processes else 0
        ours, theirs = multiprocessing.Pipe(False)
        multiprocessing.Process(target=client, args=(arguments, share, theirs)).start()
        pipes.append(ours)
    latencies, wrong = [], 0
    for pipe in pipes:
        some, bad = pipe.recv()
        latencies += some
        wrong += bad
    took = time.perf_counter() - began
    latencies.sort()
    rate = len(latencies) / took
    figures = {
        "reads": len(latencies), "wrong": wrong, "seconds": round(took, 2),
        "reads_per_second": round(rate),
        "ms": {
            "p50": round(statistics.median(latencies) * 1000, 3),
            "p99": round(latencies[int(len(latencies) * 0.99)] * 1000, 3),
            "max": round(latencies[-1] * 1000, 3),
        },
    }
    if before:
        whole, server = (b - a for a, b in zip(before, cpu_seconds(options.pid)))
        figures["cpu_seconds"] = {"process": round(whole, 2), "server": round(server, 2)}
        figures["reads_per_cpu_second"] = round(len(latencies) / max(server, 0.01))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
