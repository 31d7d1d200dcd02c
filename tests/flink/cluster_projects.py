"""The projects that are deployed: examples, programs of examples/seeds, packs, Nexmark."""

import json
import os
import pathlib
import re
import shutil
import sys
import tomllib

from cluster_lab import ROOT

# Of q12 the windows are those of the clock: it is judged apart (cluster_stories.py).
NEXMARK = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q13", "q14",
           "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22", "q23"]
SEEDS = ["clicks-per-minute", "daily-sales", "low-stock", "marketing-report", "shopping-events"]
# Packs on two days of a small simulated shop.
PACKS = ["ads", "behavior", "customers", "decisions", "delivery", "inventory", "loyalty", "market",
         "pricing", "recommend", "replenishment", "sales"]
SHOP = ["SHOP_DAYS=2", "SHOP_CUSTOMERS=100"]
# Those that read what was decided, which no shop tells; for the last two it is made up.
UNDECIDED, DECIDED = {"customers", "replenishment"}, {"decisions", "delivery"}
# A table of a pack that people or packs write. It is a file here: a log has no end.
OWN_TABLE = re.compile(r"(CREATE TABLE (\w+) \([^;]*?\n\)) WITH \(\s*"
                       r"'connector' = '(?:http|log)'(?![^;]*debezium)[^;()]*\)([^;]*);")
# What stands in such tables.
GIVEN = {
    "segment_change": [
        {"event_id": "e1", "segment_id": "spends", "is_active": True, "title": "Spends",
         "conditions": [{"no": 1, "tag_code": "lifetime_value", "tag_values": ["*"],
                         "is_excluded": False},
                        {"no": 2, "tag_code": "main_channel", "tag_values": ["app"],
                         "is_excluded": True}],
         "actor": "ann", "changed_at": "2025-09-01 09:00:00Z"},
        {"event_id": "e3", "segment_id": "gone", "is_active": False,
         "changed_at": "2025-09-01 12:00:00Z"},
        {"event_id": "e2", "segment_id": "gone", "is_active": True,
         "conditions": [{"no": 1, "tag_code": "life_stage", "tag_values": ["*"],
                         "is_excluded": False}],
         "changed_at": "2025-09-01 11:00:00Z"},
    ],
    "pricing_rule_change": [
        {"event_id": "r1", "rule_id": "demand", "kind": "demand", "is_active": True, "priority": 2,
         "days": 3, "rate": 0.04, "actor": "ann", "changed_at": "2025-09-01 09:30:00Z"},
        {"event_id": "r2", "rule_id": "demand", "kind": "demand", "is_active": False, "priority": 2,
         "days": 1, "rate": 0.5, "actor": "bob", "changed_at": "2025-09-01 09:10:00Z"},
    ],
}
# The folder with the CSV files of the real data set; without it that example is left out.
RETAIL = pathlib.Path(os.environ.get("RIALTO_RETAIL", ROOT.parent / "shared/data/online-retail"))
RETAIL_FILES = 2
# Flink 2.3 takes no row of this ranking back (docs/scale-out.md), so it needs a key.
KEYS = {"q9": "PRIMARY KEY (id) NOT ENFORCED"}


class Projects:
    """Writes each into the lab's folder, where what is noted of its deployment stays as well."""

    def __init__(self, lab, events):
        self.lab, self.folder, self.count = lab, lab.folder, events

    def cases(self):
        """Every project with its variables, by name; made when it is asked for."""
        found = {"demo": lambda: (self.copy("demo", "demo"), ["ROWS=4000", "RATE=1000000"])}
        for name in SEEDS:
            found[name] = lambda name=name: (self.seed(name), [])
        if RETAIL.is_dir():
            found["online-retail"] = self.retail
        else:
            print(f"online-retail: SKIPPED: {RETAIL} is not there (RIALTO_RETAIL says where)",
                  file=sys.stderr)
        for name in PACKS:
            found[name] = lambda name=name: (self.pack(name), SHOP)
        for name in NEXMARK:
            found[name] = lambda name=name: (
                self.nexmark(name), [f"DATA={self.events()}", f"SIDE={self.side()}"])
        return found

    def nexmark(self, query):
        """A query of Nexmark as a project of one view."""
        text = (ROOT / f"bench/nexmark/{query}.sql").read_text()
        text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
        found = re.fullmatch(r"(?P<before>.*)CREATE TABLE nexmark_\w+ \((?P<columns>.*?)\n\).*?;\s*"
                             r"INSERT INTO \w+\s+(?P<select>SELECT.*);\s*", text, flags=re.DOTALL)
        columns = re.findall(r"^ +`?(\w+)`? [^\n]+?,?$", found["columns"], flags=re.MULTILINE)
        names = ", ".join(f"`{column}`" for column in columns)
        ddl = (ROOT / "bench/nexmark/ddl.sql").read_text()
        path = self.folder / f"{query}.sql"
        key = KEYS.get(query, "")
        path.write_text(f"{ddl}{found['before']}\nCREATE MATERIALIZED VIEW {query} ({names}) {key} AS"
                        f"\n{found['select']};\n")
        return path

    def seed(self, name):
        """A program of examples/seeds, its query as a view."""
        text = (ROOT / f"examples/seeds/{name}/{name}.sql").read_text()
        text = text.replace("'examples/", f"'{ROOT}/examples/")
        before, query = text.rsplit(";\n\nSELECT", 1)
        path = self.folder / f"{name}.sql"
        view = name.replace("-", "_")
        path.write_text(f"{before};\n\nCREATE MATERIALIZED VIEW {view} AS\nSELECT{query}")
        return path

    def pack(self, name):
        """A pack on the simulated shop, its own tables as files."""
        # Beside the project, which takes all SQL in its folder.
        folder, parts = self.folder / f"pack-{name}", self.folder / f"parts-{name}"
        if folder.exists():
            return folder
        folder.mkdir()
        parts.mkdir()
        own = ROOT / "packs" / name
        said = tomllib.loads((own / "rialto.toml").read_text())
        include = [own / path for path in said["include"]]
        # Its rows come from the shop instead of logs.
        include = [path.with_name("from_shop.sql") if path.name == "from_log.sql" else path
                   for path in include]
        # What is decided is given here: nobody writes it.
        include = [path for path in include if path.name != "expired.sql"]
        given = dict(GIVEN)
        if name in DECIDED:
            given |= decided(self.customers(), self.prices())
        if name in UNDECIDED | DECIDED:
            declared = parts / "decision.sql"
            declared.write_text(f"CREATE TABLE decision WITH ({rows_in(parts, 'decision', given)})"
                                " LIKE model.decision;\n")
            at = next(at for at, path in enumerate(include) if path.name == "from_shop.sql")
            include.insert(at + 1, declared)
        include += sorted((own / "sql").glob("*.sql"))
        shown = ", ".join(f'"{ended(parts, path, given)}"' for path in include)
        variables = "".join(f'{key} = "{value}"\n'
                            for key, value in said.get("variables", {}).items())
        (folder / "rialto.toml").write_text(f"include = [{shown}]\n[variables]\n{variables}")
        return folder

    def customers(self):
        """The customers of the shop."""
        return sorted(row["customer_id"] for row in self.view("customers", "customer_consent"))

    def prices(self):
        """What the pack pricing decides there."""
        return self.view("pricing", "pricing_decision")

    def view(self, pack, view):
        """The rows of a view of a pack, here."""
        project = self.pack(pack)
        options = [part for variable in SHOP for part in ("-D", variable)]
        said = self.lab.run("run", project, *options, "-o", "json", "--rows", 10**9)
        lines = map(json.loads, said.splitlines())
        return [line["row"] for line in lines if line.get("table") == view and "row" in line]

    def copy(self, example, name):
        """An example, where what is noted of its deployment stays with the test."""
        return pathlib.Path(shutil.copytree(ROOT / "examples" / example, self.folder / f"{name}.d"))

    def retail(self):
        """The first days of the real data set."""
        folder = self.folder / "retail"
        folder.mkdir()
        for file in sorted(RETAIL.glob("*.csv"))[:RETAIL_FILES]:
            (folder / file.name).write_bytes(file.read_bytes())
        return self.copy("online-retail", "online-retail"), [f"DATA={folder}"]

    def events(self):
        data = self.folder / "nexmark"
        if not data.exists():
            self.lab.run("nexmark", "--dir", data, "--events", self.count)
        return data

    def side(self):
        """The side input of q13."""
        folder = self.folder / "side"
        if not folder.exists():
            folder.mkdir()
            rows = "".join(f"{key},side-{key}\n" for key in range(10000))
            (folder / "side.csv").write_text(rows)
        return folder


def decided(customers, prices):
    """Rows of `decision`, and what people say on them.

    Each customer is to be written to, up to four times, and each price was said in the first
    morning, when there was time left for something to come of it. Every other price was carried
    out, which is a second word on it. Of three decisions two are reviewed, one of them twice, the
    later word first. Some messages lie in the outbox, and others that were sent before."""
    contacts = [
        {"decision_id": f"contact:{customer}:{turn}",
         "decided_at": f"2025-09-0{1 + no % 2} {10 + no % 12:02}:{turn:02}:00Z",
         "decision_type": "contact" if no % 3 else "offer", "subject_type": "customer",
         "subject_id": customer, "customer_id": customer, "amount": 0.1, "policy": "win_back",
         "experiment": "win_back", "variant": "policy" if no % 5 else "hold_out",
         "propensity": 0.8, "status": "expired" if no % 7 == 6 else "approved"}
        for no, customer in enumerate(customers) for turn in range(1 + no % 4)]
    morning = "2025-09-01 06:00:00Z"
    prices = [row | {"decided_at": morning, "variant": "policy" if no % 5 else "hold_out"}
              for no, row in enumerate(sorted(prices, key=lambda row: row["decision_id"]))]
    applied = [row | {"status": "applied"} for row in prices[::2]]
    review = lambda row, event, verdict, minute: {
        "event_id": event, "decision_id": row["decision_id"], "verdict": verdict, "actor": "ann",
        "note": event, "reviewed_at": f"{row['decided_at'][:14]}{minute}:00Z"}
    reviews = []
    for no, row in enumerate(contacts + prices):
        if no % 3 == 0:
            reviews.append(review(row, "late-" + row["decision_id"], "reject", 59))
        if no % 3 < 2:
            verdict = "approve" if no % 3 == 0 else "reject"
            reviews.append(review(row, row["decision_id"], verdict, 58))
    sent = [
        {"decision_id": message, "send_at": row["decided_at"], "customer_id": row["customer_id"]}
        for no, row in enumerate(contacts)
        for message in {0: [row["decision_id"]], 5: [f"before:{no}"]}.get(no % 13, [])]
    return {"decision": applied + contacts + prices, "decision_review": reviews,
            "delivery_outbox": sent}


def ended(parts, path, given):
    """A file of a pack in which every table of its own ends; itself where it has none.

    What the pack writes into its own tables it would read again, for ever: without its `INSERT`s it
    reads what is given."""
    text = "" if path.is_dir() else path.read_text()
    if not OWN_TABLE.search(text):
        return path
    there = lambda found: f"{found[1]} WITH ({rows_in(parts, found[2], given)}){found[3]};"
    text = OWN_TABLE.sub(there, text)
    copy = parts / f"{path.parent.parent.name}-{path.name}"
    copy.write_text(re.sub(r"^INSERT INTO [^;]*;", "", text, flags=re.MULTILINE))
    return copy


def rows_in(parts, table, given):
    """The options of a table that holds these rows and ends."""
    place = parts / table
    place.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row) + "\n" for row in given.get(table, []))
    (place / "rows.ndjson").write_text("".join(lines))
    return f"'connector' = 'filesystem', 'path' = '{place}', 'format' = 'json'"
