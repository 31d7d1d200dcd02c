#!/usr/bin/env python3
"""The packs `sales` and `customers` over the real Online Retail data, in the words of
the event model: they must give the figures that are published for these data, and for every day
and customer those that are counted here, with Python's csv and decimal modules.

    golden.py [DATA]    DATA: the folder of the 305 CSV files
                        (default: $RIALTO_DATA/online-retail, else ../shared/data/online-retail
                        beside the repository)

RIALTO names the command. Without data it says that it was skipped, and succeeds."""

import collections
import csv
import datetime
import decimal
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
D = decimal.Decimal

# Published, or counted by others: see the data's own README.
NET, POSITIVE = D("9747747.934"), D("10666684.544")
CLEAN_INVOICES, CLEAN_CUSTOMERS = 18532, 4338
FIRST_DAY_NET = D("58635.56")

VIEWS = """
CREATE TABLE sale_line WITH (
  'connector' = 'filesystem', 'path' = 'sale_line.ndjson', 'format' = 'json')
LIKE model.sale_line (OVERWRITING WATERMARKS);
CREATE MATERIALIZED VIEW golden_day AS
SELECT business_date, SUM(net_sales) AS net, SUM(gmv) AS gmv, SUM(returned) AS returned,
  SUM(orders) AS orders
FROM sales_by_store_day GROUP BY business_date;
CREATE MATERIALIZED VIEW golden_customers AS
SELECT COUNT(*) AS customers, SUM(orders) AS orders, SUM(amount) AS amount
FROM customer_purchase;
CREATE MATERIALIZED VIEW golden_rfm AS
SELECT SUM(frequency) AS orders, SUM(monetary) AS amount, SUM(recency_days) AS recency_days
FROM customer_rfm;
CREATE MATERIALIZED VIEW golden_decisions AS
SELECT variant, COUNT(*) AS decisions, COUNT(DISTINCT decision_id) AS ids
FROM customers_decision GROUP BY variant;
"""


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def data():
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1])
    base = os.environ.get("RIALTO_DATA", ROOT.parent / "shared/data")
    return pathlib.Path(base) / "online-retail"


def lines(folder):
    """The lines as rows of sale_line. What is no sale of goods for money (corrections of stock and
    of the books) is a fee, so that it is in the net and in no basket."""
    numbers = collections.Counter()
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                invoice, quantity = row["InvoiceNo"], int(row["Quantity"])
                price = D(row["UnitPrice"])
                numbers[invoice] += 1
                goods = invoice.startswith("C") or (quantity > 0 and price > 0)
                yield {
                    "event_id": f"{invoice}/{numbers[invoice]}",
                    "event_time": row["InvoiceDate"] + "Z",
                    "business_date": row["InvoiceDate"][:10], "source": "online_retail",
                    "channel": "web", "transaction_id": invoice, "line_no": numbers[invoice],
                    "txn_type": "return" if invoice.startswith("C") else "sale",
                    "line_type": "item" if goods else "fee",
                    "customer_id": row["CustomerID"].split(".")[0] or None,
                    "sku": row["StockCode"], "quantity": quantity, "unit_price": str(price),
                    "line_total": str(price * quantity), "currency": "GBP"}


def counted(folder, target):
    """Writes the rows, and counts what the packs must say."""
    days = collections.defaultdict(lambda: collections.defaultdict(D))
    orders, customers = collections.defaultdict(set), collections.defaultdict(dict)
    with target.open("w", encoding="utf-8") as file:
        for row in lines(folder):
            file.write(json.dumps(row) + "\n")
            day, total = row["business_date"], D(row["line_total"])
            days[day]["net"] += total
            if row["txn_type"] == "return":
                days[day]["returned"] -= total
            elif row["line_type"] == "item":
                days[day]["gmv"] += total
                orders[day].add(row["transaction_id"])
                if row["customer_id"]:
                    basket = customers[row["customer_id"]]
                    amount, _ = basket.get(row["transaction_id"], (D(0), day))
                    basket[row["transaction_id"]] = amount + total, day
    return days, orders, customers


def run(folder):
    files = [f"{ROOT}/packs/model/sql", "rest.sql",
             *(f"{ROOT}/packs/{pack}/sql" for pack in ("sales", "customers"))]
    (folder / "rialto.toml").write_text(f"include = {json.dumps(files)}\n", encoding="utf-8")
    table, views = VIEWS.split(";", 1)
    # No other feed has rows; the tables of the model stay what they are declared as: empty.
    names = ("behavior_event", "stock_movement", "contact_event", "order_event",
                               "identity_event", "feedback_event", "tender_line", "customer",
                               "product", "decision")
    (folder / "rest.sql").write_text(table + ";\n" + "".join(
        f"CREATE TABLE {name} WITH ('connector' = 'filesystem', 'path' = 'none.ndjson',"
        f" 'format' = 'json') LIKE model.{name};\n" for name in names), encoding="utf-8")
    (folder / "none.ndjson").write_text("", encoding="utf-8")
    (folder / "sql").mkdir()
    (folder / "sql/10_golden.sql").write_text(views, encoding="utf-8")
    begun = time.monotonic()
    done = subprocess.run([command(), "run", str(folder), "-o", "json", "--rows", "500"],
                          capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"golden: FAILED: ended with {done.returncode}\n{done.stderr}")
    found = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        row = json.loads(line, parse_float=D)
        found[row["table"]].append(row["row"])
    return found, time.monotonic() - begun


def check(found, days, orders, customers):
    by_day = {row["business_date"]: row for row in found["golden_day"]}
    purchases, rfm = found["golden_customers"][0], found["golden_rfm"][0]
    last = max(days)
    baskets = [basket for of in customers.values() for basket in of.values()]
    recency = sum((as_date(last) - as_date(max(day for _, day in of.values()))).days
                  for of in customers.values())
    spent = sum(amount for amount, _ in baskets)
    decisions = {row["variant"]: row for row in found["golden_decisions"]}
    return {
        "the net is the published one": sum(row["net"] for row in by_day.values()) == NET,
        "goods sold are the published ones": sum(row["gmv"] for row in by_day.values()) == POSITIVE,
        "the first day is the published one": by_day["2010-12-01"]["net"] == FIRST_DAY_NET,
        "every day is the one counted here": by_day.keys() == days.keys() and all(
            (by_day[day]["net"], by_day[day]["gmv"], by_day[day]["returned"]) ==
            (of["net"], of["gmv"], of["returned"]) and by_day[day]["orders"] == len(orders[day])
            for day, of in days.items()),
        "customers and their orders are the published ones":
            (purchases["customers"], purchases["orders"]) == (CLEAN_CUSTOMERS, CLEAN_INVOICES),
        "they spent what is counted here": purchases["amount"] == rfm["amount"] == spent,
        "recency is the one counted here": rfm["recency_days"] == recency,
        "a tenth is held out": D("0.08") < D(decisions["hold_out"]["decisions"])
            / sum(row["decisions"] for row in decisions.values()) < D("0.12"),
        "decisions have ids of their own": all(
            row["decisions"] == row["ids"] for row in decisions.values()),
    }


def as_date(text):
    return datetime.date.fromisoformat(text)


def main():
    folder = data()
    if not folder.is_dir():
        print(f"golden: skipped: there is no folder {folder}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        days, orders, customers = counted(folder, place / "sale_line.ndjson")
        found, seconds = run(place)
    wrong = [what for what, is_so in check(found, days, orders, customers).items() if not is_so]
    print(f"golden: {'FAILED: ' + '; '.join(wrong) if wrong else 'ok'}: {len(days)} days, "
          f"{len(customers)} customers in {seconds:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
