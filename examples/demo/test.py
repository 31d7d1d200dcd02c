#!/usr/bin/env python3
"""Runs the demo with one shard and with two: both must give the same figures, another seed must
give others, and the views must agree with each other. RIALTO names the command."""

import collections
import decimal
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VIEWS = ["channels", "sales_by_10_minutes", "top_products", "returns"]
ROWS = 12000
D = decimal.Decimal


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def run(shards, seed):
    """The final rows of every view, added up from the changes that the command prints."""
    arguments = [command(), "run", str(HERE), "-D", f"ROWS={ROWS}", "-D", "RATE=1000000",
                 "-D", f"SEED={seed}", "--shards", str(shards),
                 "--watch", ",".join(VIEWS), "--changelog", "-o", "json"]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"demo: {' '.join(arguments)}\n  ended with {done.returncode}")
    views = {view: collections.Counter() for view in VIEWS}
    for line in done.stdout.splitlines():
        change = json.loads(line, parse_float=D)
        views[change["table"]][json.dumps(change["row"], default=str)] += (
            1 if change["op"].startswith("+") else -1)
    rows = {}
    for view, counter in views.items():
        if any(count not in (0, 1) for count in counter.values()):
            sys.exit(f"demo: {view}: a row is there more than once, or taken back unseen")
        texts = sorted(text for text, count in counter.items() if count)
        rows[view] = [json.loads(text) for text in texts]
    return rows


def total(rows, column):
    return sum(D(str(row[column])) for row in rows)


def main():
    one, two, other = run(1, 7), run(2, 7), run(2, 8)
    failures = []

    def expect(condition, what):
        if not condition:
            failures.append(what)

    for view in VIEWS:
        expect(one[view] == two[view], f"{view}: two shards answer differently than one")
    expect(one["channels"] != other["channels"], "another seed gives the same sales")
    for name, rows in (("seed 7", one), ("seed 8", other)):
        channels, windows = rows["channels"], rows["sales_by_10_minutes"]
        expect({row["channel"] for row in channels} == {"web", "app", "pos", "marketplace"},
               f"{name}: channels are missing")
        expect(total(channels, "net_sales") == total(windows, "net_sales"),
               f"{name}: windows and channels add up to different sales")
        expect(sorted(row["place"] for row in rows["top_products"]) == list(range(1, 11)),
               f"{name}: the places of the top products are not 1 to 10")
        places = sorted(rows["top_products"], key=lambda row: row["place"])
        turnovers = [D(str(row["turnover"])) for row in places]
        expect(turnovers == sorted(turnovers, reverse=True), f"{name}: places are out of order")
        expect(0 < total(rows["returns"], "lines") < ROWS * 0.04, f"{name}: too many returns")
        orders = total(channels, "orders")
        expect(ROWS / 20 <= orders <= ROWS / 18, f"{name}: {orders} orders")
    for failure in failures:
        print(f"  {failure}")
    print(f"demo: {'FAILED' if failures else 'ok'}: {sum(map(len, one.values()))} rows of "
          f"{len(VIEWS)} views, the same on one shard and two")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
