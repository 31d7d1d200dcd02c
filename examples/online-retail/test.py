#!/usr/bin/env python3
"""Runs this project over the real data and holds every view against figures computed here, from
the same files, with Python's csv and decimal modules and nothing of Rialto.

    test.py [DATA]      DATA: the folder of the 305 CSV files
                        (default: $RIALTO_DATA/online-retail, else ../shared/data/online-retail
                        beside the repository)

RIALTO names the command (default: `rialto` of the build). Without data it says that it was
skipped, and succeeds.
"""

import collections
import csv
import datetime
import decimal
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
D = decimal.Decimal
decimal.getcontext().prec = 60

# Published, or counted by others: see the data's own README. They do not come from this program.
GOLDEN = {
    "lines": 541909, "invoices": 25900, "skus": 4070, "customers": 4372, "countries": 38,
    "lines without customer": 135080, "cancellation lines": 9288, "negative quantities": 10624,
    "zero prices": 2515, "negative prices": 2, "exact duplicates": 5268,
    "skus of several descriptions": 650, "net": "9747747.934", "positive sales": "10666684.544",
    "first day: lines": 3108, "first day: invoices": 143, "first day: net": "58635.56",
    "clean: lines": 397884, "clean: invoices": 18532, "clean: customers": 4338,
}
DATA_LINES = 541909
SALES = ["sales_by_day", "hot_products", "customer_rfm", "customer_tags", "returns_by_day"]
VIEWS = SALES + ["dirty_lines", "dirt", "facts"]


def data_folder(arguments):
    if arguments:
        return pathlib.Path(arguments[0])
    shared = os.environ.get("RIALTO_DATA", ROOT.parent / "shared" / "data")
    return pathlib.Path(shared) / "online-retail"


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def half_up(value, digits):
    return value.quantize(D(1).scaleb(-digits), rounding=decimal.ROUND_HALF_UP)


def ratio(a, b):
    """A division as the SQL does it: six digits, then two."""
    return None if b == 0 else half_up(half_up(D(a) / D(b), 6), 2)


class Line:
    """One line of the files, in the words of sql/10_tables.sql."""

    def __init__(self, row, file):
        self.raw = tuple(row.values())
        self.file = file
        self.invoice, self.sku = row["InvoiceNo"], row["StockCode"]
        self.description, self.country = row["Description"], row["Country"]
        self.quantity, self.price = int(row["Quantity"]), D(row["UnitPrice"])
        self.total = self.quantity * self.price
        self.sold_at = row["InvoiceDate"]
        self.day = self.sold_at[:10]
        self.customer = row["CustomerID"].split(".")[0] or None
        if self.invoice.startswith("C"):
            self.kind = "return"
        elif self.invoice.startswith("A") or self.quantity <= 0 or self.price <= 0:
            self.kind = "adjustment"
        else:
            self.kind = "sale"


def read(folder):
    lines = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            lines += [Line(row, path.name) for row in csv.DictReader(file)]
    return lines


def sales_by_day(lines):
    days = collections.defaultdict(lambda: [D(0), set(), D(0)])
    for line in lines:
        day = days[line.day, line.country]
        day[0] += line.total
        if line.kind == "sale":
            day[1].add(line.invoice)
            day[2] += line.total
    return [
        dict(sale_day=day, country=country, net_sales=net, orders=len(orders), gross_sales=gross,
             basket_value=ratio(gross, len(orders)))
        for (day, country), (net, orders, gross) in days.items()
    ]


def hot_products(lines):
    hours = collections.defaultdict(lambda: collections.defaultdict(lambda: ["", 0, D(0)]))
    for line in lines:
        if line.kind == "sale" and re.match("[0-9]{5}", line.sku):
            entry = hours[line.sold_at[:13]][line.sku]
            entry[0] = max(entry[0], line.description)
            entry[1] += line.quantity
            entry[2] += line.total
    rows = []
    for hour, skus in hours.items():
        best = sorted(skus.items(), key=lambda e: (-e[1][1], -e[1][2], e[0]))[:5]
        for place, (sku, (description, pieces, turnover)) in enumerate(best, 1):
            rows.append(dict(hour=hour + ":00:00.000", place=place, sku=sku,
                             description=description, pieces=pieces, turnover=turnover))
    return rows


def tag(recency, frequency, monetary):
    if recency <= 30 and frequency >= 10 and monetary >= 2000:
        return "champion"
    if recency <= 90 and frequency >= 5:
        return "loyal"
    if recency <= 30 and frequency == 1:
        return "new"
    if recency > 90 and (frequency >= 5 or monetary >= 2000):
        return "at_risk"
    return "lost" if recency > 180 else "regular"


def customer_rfm(lines):
    today = datetime.date.fromisoformat(max(line.day for line in lines))
    customers = collections.defaultdict(lambda: ["", set(), D(0)])
    for line in lines:
        if line.kind == "sale" and line.customer is not None:
            customer = customers[line.customer]
            customer[0] = max(customer[0], line.day)
            customer[1].add(line.invoice)
            customer[2] += line.total
    rows = []
    for customer, (last, invoices, monetary) in customers.items():
        recency = (today - datetime.date.fromisoformat(last)).days
        rows.append(dict(customer_id=customer, recency_days=recency, frequency=len(invoices),
                         monetary=monetary, tag=tag(recency, len(invoices), monetary)))
    return rows


def customer_tags(lines):
    tags = collections.defaultdict(lambda: [0, D(0)])
    for row in customer_rfm(lines):
        tags[row["tag"]][0] += 1
        tags[row["tag"]][1] += row["monetary"]
    return [dict(tag=t, customers=n, monetary=m) for t, (n, m) in tags.items()]


def returns_by_day(lines):
    days = collections.defaultdict(lambda: [set(), 0, 0, D(0), D(0)])
    for line in lines:
        day = days[line.day]
        if line.kind == "return":
            day[0].add(line.invoice)
            day[1] += 1
            day[2] -= line.quantity
            day[3] -= line.total
        elif line.kind == "sale":
            day[4] += line.total
    return [
        dict(sale_day=day, returns=len(invoices), lines=count, pieces=pieces, amount=amount,
             share_percent=ratio(100 * amount, gross))
        for day, (invoices, count, pieces, amount, gross) in days.items()
    ]


def dirty_lines(lines):
    rows = []
    for line in lines:
        stock = line.quantity < 0 and line.kind != "return"
        if not (line.price <= 0 or line.invoice.startswith("A") or stock):
            continue
        if line.price < 0:
            reason = "negative price"
        elif line.invoice.startswith("A"):
            reason = "correction of the books"
        else:
            reason = "correction of the stock" if stock else "no price"
        rows.append(dict(reason=reason, file=line.file, invoice=line.invoice, sku=line.sku,
                         description=line.description, quantity=line.quantity,
                         unit_price=line.price, sold_at=line.sold_at + ".000"))
    return rows


def dirt(lines):
    counts = collections.Counter(row["reason"] for row in dirty_lines(lines))
    counts["no customer"] = sum(line.customer is None for line in lines)
    return [dict(reason=reason, lines=count) for reason, count in counts.items()]


def facts(lines):
    def count(condition):
        return sum(1 for line in lines if condition(line))

    def distinct(value, of=lines):
        return len({value(line) for line in of} - {None})

    first = [line for line in lines if line.day == "2010-12-01"]
    clean = [line for line in lines if line.kind == "sale" and line.customer is not None]
    names = collections.defaultdict(set)
    for line in lines:
        if line.description:
            names[line.sku].add(line.description)
    figures = {
        "lines": len(lines),
        "invoices": distinct(lambda l: l.invoice),
        "skus": distinct(lambda l: l.sku),
        "customers": distinct(lambda l: l.customer),
        "countries": distinct(lambda l: l.country),
        "lines without customer": count(lambda l: l.customer is None),
        "cancellation lines": count(lambda l: l.invoice.startswith("C")),
        "negative quantities": count(lambda l: l.quantity < 0),
        "zero prices": count(lambda l: l.price == 0),
        "negative prices": count(lambda l: l.price < 0),
        "exact duplicates": len(lines) - distinct(lambda l: l.raw),
        "skus of several descriptions": sum(len(n) > 1 for n in names.values()),
        "net": sum(line.total for line in lines),
        "positive sales": sum(l.total for l in lines if l.total > 0 and l.quantity > 0),
        "first day: lines": len(first),
        "first day: invoices": distinct(lambda l: l.invoice, first),
        "first day: net": sum(line.total for line in first),
        "clean: lines": len(clean),
        "clean: invoices": distinct(lambda l: l.invoice, clean),
        "clean: customers": distinct(lambda l: l.customer, clean),
    }
    return [dict(fact=name, figure=D(figure)) for name, figure in figures.items()]


def run(rialto, folder):
    """The final rows of every view: the changes that the command prints, added up."""
    arguments = [rialto, "run", str(HERE), "-D", f"DATA={folder.resolve()}",
                 "--watch", ",".join(VIEWS), "--changelog", "-o", "json"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    views = {view: collections.Counter() for view in VIEWS}
    for text in process.stdout:
        change = json.loads(text, parse_float=D, parse_int=D)
        weight = 1 if change["op"].startswith("+") else -1
        rows = views[change["table"]]
        key = normal(change["row"])
        rows[key] += weight
        if rows[key] == 0:
            del rows[key]
    if process.wait() != 0:
        sys.exit(f"online-retail: {' '.join(arguments)}\n  ended with {process.returncode}")
    return views


def plain(name, value):
    """One text for one value: 5, 5.0 and 5.000 are the same amount."""
    if isinstance(value, (int, D)) and not isinstance(value, bool):
        return format(D(value).normalize() + 0, "f")
    if value is not None and name in ("hour", "sold_at"):
        # A time with or without its three zeros, with a blank or a T: the same moment.
        return value.replace("T", " ").split(".")[0]
    return value


def normal(row):
    """A row as something that can be counted."""
    decimals = ("net_sales", "gross_sales", "basket_value", "turnover", "monetary", "amount",
                "share_percent", "unit_price", "figure")
    return tuple(
        (name, plain(name, D(value) if name in decimals and value is not None else value))
        for name, value in row.items()
    )


def compare(view, found, expected):
    expected = collections.Counter(normal(row) for row in expected)
    missing, extra = expected - found, found - expected
    if not missing and not extra and all(n > 0 for n in found.values()):
        return True
    print(f"  {view}: {sum(missing.values())} rows missing, {sum(extra.values())} too many")
    for what, rows in (("missing", missing), ("too many", extra)):
        for row, _ in sorted(rows.items(), key=str)[:3]:
            print(f"    {what}: {dict(row)}")
    return False


def main():
    folder = data_folder(sys.argv[1:])
    if not any(folder.glob("*.csv")):
        print(f"online-retail: SKIPPED, there is no data in {folder}")
        print("  (305 CSV files of the Online Retail set; name their folder as an argument)")
        return 0
    lines = read(folder)
    began = time.monotonic()
    views = run(command(), folder)
    seconds = time.monotonic() - began
    well = True
    for view in VIEWS:
        well &= compare(view, views[view], globals()[view](lines))
    if len(lines) == DATA_LINES:
        golden = [dict(fact=name, figure=D(figure)) for name, figure in GOLDEN.items()]
        well &= compare("facts", views["facts"], golden)
    else:
        print(f"online-retail: {len(lines)} lines, not {DATA_LINES}: published figures not used")
    rows = sum(len(view) for view in views.values())
    print(f"online-retail: {'ok' if well else 'FAILED'}: {rows} rows of {len(VIEWS)} views over "
          f"{len(lines)} lines, computed in {seconds:.1f} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
