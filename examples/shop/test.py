#!/usr/bin/env python3
"""Runs the simulated shop with one shard and with two: both must give the same figures, another
seed must give others, and what must be so in every shop must be so. RIALTO names the command."""

import decimal
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
VIEWS = ["turnover", "top_articles", "stock", "funnel"]
D = decimal.Decimal


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def run(shards, seed):
    """The final rows of every view."""
    arguments = [command(), "run", str(HERE), "-D", "SHOP_CUSTOMERS=2000",
                 "-D", f"SHOP_SEED={seed}", "--shards", str(shards), "--rows", "1000", "-o", "json"]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"shop: {' '.join(arguments)}\n  ended with {done.returncode}")
    rows = {view: [] for view in VIEWS}
    for line in done.stdout.splitlines():
        row = json.loads(line, parse_float=D)
        rows[row["table"]].append(json.dumps(row["row"], default=str, sort_keys=True))
    return {view: [json.loads(text) for text in sorted(texts)] for view, texts in rows.items()}


def main():
    one, two, other = run(1, 7), run(2, 7), run(2, 8)
    failures = []

    def expect(condition, what):
        if not condition:
            failures.append(what)

    for view in VIEWS:
        expect(one[view] == two[view], f"{view}: two shards answer differently than one")
    expect(one["turnover"] != other["turnover"], "another seed gives the same turnover")
    for name, rows in (("seed 7", one), ("seed 8", other)):
        turnover = rows["turnover"]
        expect({r["channel"] for r in turnover} >= {"web", "app", "pos"},
               f"{name}: channels are missing")
        expect(all(D(str(r["amount"])) > 0 for r in turnover if r["channel"] == "web"),
               f"{name}: the web shop sold nothing")
        expect({r["location_id"] for r in rows["stock"]} == {"dc-1", "store-1", "store-2", "store-3"},
               f"{name}: locations are missing")
        expect(len({r["skus"] for r in rows["stock"]}) == 1,
               f"{name}: not every location has had every SKU")
        expect(sorted(r["place"] for r in rows["top_articles"]) == list(range(1, 11)),
               f"{name}: the places of the top articles are not 1 to 10")
        expect(all(r["description"] for r in rows["top_articles"]),
               f"{name}: an article has no description")
        for r in rows["funnel"]:
            steps = [r["sessions"], r["looked"], r["filled_a_cart"], r["went_to_pay"]]
            expect(steps == sorted(steps, reverse=True), f"{name}: the funnel widens: {r}")
        expect(sum(r["went_to_pay"] for r in rows["funnel"]) > 5, f"{name}: nobody went to pay")
    for failure in failures:
        print(f"  {failure}")
    print(f"shop: {'FAILED' if failures else 'ok'}: {sum(map(len, one.values()))} rows of "
          f"{len(VIEWS)} views, the same on one shard and two")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
