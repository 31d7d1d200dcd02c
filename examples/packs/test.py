#!/usr/bin/env python3
"""Two days of the packs on the simulated shop: what must be so whatever the seed is."""

import collections
import decimal
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def bounded(folder):
    """The project, with decisions in a file instead of a log, so that it ends."""
    toml = (HERE / "rialto.toml").read_text(encoding="utf-8")
    toml = toml.replace('"../../packs', f'"{HERE.parent.parent}/packs')
    (folder / "rialto.toml").write_text(toml, encoding="utf-8")
    (folder / "decisions.ndjson").write_text("", encoding="utf-8")
    (folder / "decisions.sql").write_text(
        "CREATE TABLE decision WITH ('connector' = 'filesystem', 'path' = 'decisions.ndjson',"
        " 'format' = 'json') LIKE model.decision;", encoding="utf-8")
    (folder / "sql").mkdir()
    text = (HERE / "sql/10_today.sql").read_text(encoding="utf-8")
    (folder / "sql/10_today.sql").write_text(text, encoding="utf-8")


def views(folder):
    arguments = [command(), "run", str(folder), "-o", "json", "--rows", "1000000",
                 "-D", "SHOP_DAYS=2", "-D", "SHOP_SPEED=max", "-D", "SHOP_CUSTOMERS=500"]
    done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"packs: FAILED: {' '.join(arguments)} ended with {done.returncode}\n"
                 + done.stderr)
    found = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        row = json.loads(line, parse_float=decimal.Decimal)
        found[row["table"]].append(row["row"])
    return found


def check(found):
    def total(view, column):
        return sum(row[column] for row in found[view])

    sold = total("sales_by_store_day", "net_sales")
    decisions = found["replenishment_decision"] + found["pricing_decision"]
    return {
        "something is sold": sold > 0,
        "days are the sum of their shops": sold == total("sales_by_day", "net_sales"),
        "what is there is what came less what went": all(
            row["on_hand"] == row["came"] - row["went"] for row in found["inventory_position"]),
        "no place has less than nothing": all(
            row["on_hand"] >= 0 for row in found["inventory_position"]),
        "nothing is promised twice": not found["inventory_oversold"],
        "an alert says what the stock says": len(found["inventory_low_stock"]) == sum(
            0 <= row["available"] <= 5 for row in found["inventory_availability"]),
        "what is running out is ordered": decisions,
        "every decision says why": all(json.loads(row["reasons"]) for row in decisions),
        "every decision is made once": len(decisions)
            == len({row["decision_id"] for row in decisions}),
        "they are counted": sum(row["decisions"] for row in found["decisions_today"])
            == len(decisions),
    }


def main():
    with tempfile.TemporaryDirectory() as folder:
        bounded(pathlib.Path(folder))
        found = views(pathlib.Path(folder))
    wrong = [what for what, is_so in check(found).items() if not is_so]
    rows = sum(len(rows) for rows in found.values())
    print(f"packs: {'FAILED: ' + '; '.join(wrong) if wrong else 'ok'}: "
          f"{rows} rows of {len(found)} views")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
