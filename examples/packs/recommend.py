#!/usr/bin/env python3
"""How well the lists of the pack `recommend` foretell the real Online Retail data: the pack's own
SQL reads what was sold before a day, and its lists are held against what the same customers bought
in the 30 days from then on.

    recommend.py [--data FOLDER] [--everybody] [DAY …]
                    FOLDER: that of the 305 CSV files (default: as in golden.py)
                    --everybody: the pack sees sales to nobody in particular, too (a quarter of
                    the lines); by default it sees the clean lines, on which others are measured
                    DAY: the first day that the pack does not see (default: 2011-11-09)

Prints for each list how many of the customers bought at least one of its ten articles (HR@10) and how
far up they stood (NDCG@10). `buy_again` is held against all that a customer bought, `discover`
against what that customer had never bought before. Fails where a list of the default day, of clean
lines, is worse than counts that fade reach by themselves: .84 and .43.

RIALTO names the command. Without data it says that it was skipped, and succeeds."""

import argparse
import collections
import datetime
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import golden

DAY = datetime.date(2011, 11, 9)
DAYS = datetime.timedelta(days=30)
PLACES = 10
# What counts that fade reach on these data by a program of a few lines, rounded down.
AT_LEAST = {"buy_again": 0.84, "discover": 0.43}

TABLES = """
CREATE TABLE sale_line WITH (
  'connector' = 'filesystem', 'path' = 'sale_line.ndjson', 'format' = 'json')
LIKE model.sale_line (OVERWRITING WATERMARKS);
CREATE TABLE behavior_event WITH (
  'connector' = 'filesystem', 'path' = 'none.ndjson', 'format' = 'json') LIKE model.behavior_event;
CREATE TABLE stock_movement WITH (
  'connector' = 'filesystem', 'path' = 'none.ndjson', 'format' = 'json') LIKE model.stock_movement;
"""


def split(folder, day, everybody, target):
    """Writes what was sold before a day; answers what every customer bought before, and in the 30
    days from then on."""
    before, after = collections.defaultdict(set), collections.defaultdict(set)
    with target.open("w", encoding="utf-8") as file:
        for row in golden.lines(folder):
            on = datetime.date.fromisoformat(row["business_date"])
            clean = row["customer_id"] and (row["txn_type"], row["line_type"]) == ("sale", "item")
            if on < day and (clean or everybody):
                file.write(json.dumps(row) + "\n")
            if not clean:
                continue
            if on < day:
                before[row["customer_id"]].add(row["sku"])
            elif on < day + DAYS:
                after[row["customer_id"]].add(row["sku"])
    return before, after


def lists(folder):
    """The lists of all customers by the pack's SQL: {list: {customer: [sku, …]}}."""
    files = [f"{golden.ROOT}/packs/model/sql", "tables", f"{golden.ROOT}/packs/recommend/sql"]
    (folder / "rialto.toml").write_text(f"include = {json.dumps(files)}\n", encoding="utf-8")
    (folder / "tables").mkdir()
    (folder / "tables/tables.sql").write_text(TABLES, encoding="utf-8")
    (folder / "none.ndjson").write_text("", encoding="utf-8")
    done = subprocess.run(
        [golden.command(), "run", str(folder), "-o", "json", "--rows", "1000000"],
        capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"recommend: FAILED: ended with {done.returncode}\n{done.stderr}")
    placed = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in done.stdout.splitlines():
        found = json.loads(line)
        if found["table"] == "recommend_customer_list":
            row = found["row"]
            placed[row["list_id"]][row["customer_id"]].append((row["place"], row["sku"]))
    return {name: {customer: [sku for _, sku in sorted(rows)] for customer, rows in of.items()}
            for name, of in placed.items()}


def judge(shown, wanted):
    """Hit rate, NDCG, and of how many customers."""
    hits, gains = 0, 0.0
    for customer, skus in wanted.items():
        places = [at for at, sku in enumerate(shown.get(customer, [])[:PLACES]) if sku in skus]
        hits += bool(places)
        best = sum(1 / math.log2(at + 2) for at in range(min(PLACES, len(skus))))
        gains += sum(1 / math.log2(at + 2) for at in places) / best
    return hits / len(wanted), gains / len(wanted), len(wanted)


def measure(folder, day, everybody):
    """The figures of each list for one day."""
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        before, after = split(folder, day, everybody, place / "sale_line.ndjson")
        shown = lists(place)
    bought = {customer: skus for customer, skus in after.items() if customer in before}
    new = {customer: skus - before[customer] for customer, skus in bought.items()}
    wanted = {"buy_again": bought, "discover": {of: skus for of, skus in new.items() if skus}}
    return {name: judge(shown[name], of) for name, of in wanted.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--everybody", action="store_true")
    parser.add_argument("days", nargs="*", type=datetime.date.fromisoformat, default=[DAY])
    arguments = parser.parse_args()
    sys.argv[1:] = []
    folder = arguments.data or golden.data()
    if not folder.is_dir():
        print(f"recommend: skipped: there is no folder {folder}")
        return 0
    worse = []
    for day in arguments.days:
        begun = time.monotonic()
        figures = measure(folder, day, arguments.everybody)
        for name, (hits, ndcg, customers) in figures.items():
            print(f"recommend: {day} {name:<9} HR@10 {hits:.3f}  NDCG@10 {ndcg:.3f}  "
                  f"{customers} customers")
            if day == DAY and not arguments.everybody and hits < AT_LEAST[name]:
                worse.append(f"{name} is below {AT_LEAST[name]}")
        print(f"recommend: {day} in {time.monotonic() - begun:.0f} s", flush=True)
    print(f"recommend: {'FAILED: ' + '; '.join(worse) if worse else 'ok'}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
