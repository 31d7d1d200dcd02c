#!/usr/bin/env python3
"""Holds the answers of Rialto to all Nexmark queries against DuckDB's, over the same events.

    check.py RIALTO [--events 100000] [--queries q0,q5] [--shards 1,2]

DuckDB answers each query as a batch, by the SQL in duckdb/. Rialto answers it

- with the fewest shards as a query, whose final rows are taken (`-o json`);
- with the others as a query with all its changes, which are summed up (`--changelog`);
- with the most shards, where the query is append-only, also as the INSERT that it is, into files.

A file of duckdb/ holds up to three statements: the right answer; where SQL leaves something open,
what of the table `answer` (Rialto's) is compared with it; and what selects from `answer` rows that
can not be right. Needs the package duckdb: bench/nexmark/provision.sh prints a python that has it.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
QUERIES = [path.stem for path in sorted(HERE.glob("q*.sql"), key=lambda p: (len(p.stem), p.stem))]
# What never takes a row back may be written to files; the others need a sink that takes changes.
APPEND_ONLY = {"q0", "q1", "q2", "q3", "q5", "q7", "q8", "q10", "q11", "q12", "q13",
               "q13_lookup", "q14", "q20", "q21", "q22", "q23"}
STREAMS = ("person", "auction", "bid")
FILES = "'connector' = 'filesystem', 'path' = '{}', 'format' = 'json'"
# Event time around a midnight: 20 windows of ten seconds, sessions that end, two days.
SECONDS = 200
FIRST_EVENT = "2024-02-28 23:58:20"
SHOWN_MAX = 3


class Query:
    """A query of the suite, taken apart."""

    def __init__(self, name):
        text = re.sub(r"^--.*\n", "", (HERE / f"{name}.sql").read_text(), flags=re.MULTILINE)
        found = re.fullmatch(
            r"(?P<before>.*)CREATE TABLE nexmark_\w+ \((?P<columns>.*?)\n\)(?P<options>.*?);\s*"
            r"(?P<insert>INSERT INTO \w+)\s+(?P<select>SELECT.*);\s*", text, flags=re.DOTALL)
        if found is None:
            raise SystemExit(f"check: {name}.sql is not declarations, a sink and an INSERT")
        self.name = name
        self.text = text
        self.before, self.select = found["before"], found["select"]
        # `name` TYPE, with the types that both know by these names.
        columns = re.findall(r"^ +`?(\w+)`? ([^\n]+?),?$", found["columns"], flags=re.MULTILINE)
        self.columns = {column: kind.replace("(3)", "") if kind.startswith("TIMESTAMP") else kind
                        for column, kind in columns}
        base = name.split("_")[0]
        right = re.sub(r"--.*", "", (HERE / "duckdb" / f"{base}.sql").read_text())
        self.right, self.compared, self.wrong, *_ = *right.split(";"), "", ""

    def as_query(self):
        names = ", ".join(f"`{name}`" for name in self.columns)
        return (f"{self.before}CREATE TEMPORARY VIEW answer ({names}) AS\n{self.select};\n"
                "SELECT * FROM answer;\n")


class Check:
    """Rialto and DuckDB over one set of events."""

    def __init__(self, options, shards, folder):
        self.rialto = options.rialto.resolve()
        self.folder = folder
        self.failed = 0
        # A reader takes one file after the other, and the second would come too late: as many
        # files a stream as readers.
        for parts in shards:
            command = [self.rialto, "nexmark", "--dir", folder / f"events-{parts}", "--events",
                       options.events, "--rate", max(1, options.events // SECONDS), "--start",
                       FIRST_EVENT, "--parts", parts]
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        self.db = duckdb.connect()
        ddl = (HERE / "ddl.sql").read_text()
        for stream in STREAMS:
            body = re.search(rf"CREATE TABLE {stream} \((.*?)WATERMARK", ddl, re.DOTALL)[1]
            kinds = dict(re.findall(r"^ +`?(\w+)`? (\w+)", body, re.MULTILINE))
            self.read_json(stream, folder / f"events-{shards[0]}" / stream / "*.json", kinds)
        self.db.execute("CREATE TABLE side_input AS FROM read_csv(?, columns = "
                        "{'key': 'BIGINT', 'value': 'VARCHAR'})",
                        [str(HERE / "side_input" / "*.csv")])

    def read_json(self, table, files, kinds):
        self.db.execute(
            f"CREATE OR REPLACE TABLE {table} AS FROM read_json(?, columns = {kinds}, "
            "format = 'newline_delimited', maximum_object_size = 1000000)", [str(files)])

    def run_rialto(self, script, out, shards, *arguments):
        """An error's text, if there is one."""
        ddl = (HERE / "ddl.sql").read_text()
        values = {"DATA": self.folder / f"events-{shards}", "SIDE": HERE / "side_input",
                  "OUT": self.folder / "out", "SINK": FILES.format(self.folder / "out")}
        text = ddl + script
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", str(value))
        file = self.folder / "query.sql"
        file.write_text(text)
        command = [self.rialto, "sql", "-f", file, "--shards", shards, *arguments]
        with out.open("wb") as stdout:
            done = subprocess.run(list(map(str, command)), stdout=stdout, stderr=subprocess.PIPE,
                                  text=True, check=False)
        if done.returncode == 0 and "too late" in done.stderr:
            return done.stderr.strip()
        return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else None

    def final_rows(self, query, shards):
        out = self.folder / "rows.json"
        error = self.run_rialto(query.as_query(), out, shards, "-o", "json")
        if error is None:
            self.read_json("answer", out, query.columns)
        return error

    def changes(self, query, shards):
        out = self.folder / "changes.json"
        error = self.run_rialto(query.as_query(), out, shards, "-o", "json", "--changelog")
        if error:
            return error
        row = ", ".join(f'"{name}" {kind}' for name, kind in query.columns.items())
        self.read_json("changes", out, {"op": "VARCHAR", "step": "BIGINT", "row": f"STRUCT({row})"})
        self.db.execute(
            "CREATE OR REPLACE TABLE sums AS SELECT \"row\", "
            "sum(CASE WHEN op[1] = '+' THEN 1 ELSE -1 END)::BIGINT AS n FROM changes GROUP BY ALL")
        below = self.db.execute("SELECT count(*) FROM sums WHERE n < 0").fetchone()[0]
        self.db.execute("CREATE OR REPLACE TABLE answer AS SELECT unnest(\"row\") "
                        "FROM (SELECT \"row\", unnest(range(n)) FROM sums WHERE n > 0)")
        return f"{below} rows are taken back that were never there" if below else None

    def insert(self, query, shards):
        out = self.folder / "out"
        subprocess.run(["rm", "-rf", out], check=True)
        error = self.run_rialto(query.text, self.folder / "nothing", shards)
        if error:
            return error
        if query.name == "q10":
            written = dict(list(query.columns.items())[:-2])
            self.db.execute(
                f"CREATE OR REPLACE TABLE answer AS FROM read_csv(?, columns = {written}, "
                "header = false, hive_partitioning = true, hive_types_autocast = false)",
                [str(out / "q10" / "*" / "*" / "*")])
        else:
            self.read_json("answer", out / "*", query.columns)
        return None

    def compare(self, query, way, error):
        """Compares the table `answer` and says so in a line."""
        found = None
        if error is None:
            found, error = self.differences(query)
        if error is None:
            return f"{way} {found:,}"
        self.failed += 1
        print(f"{query.name}: FAILED: {way}: {error}", flush=True)
        return None

    def differences(self, query):
        compared = query.compared.strip() or "FROM answer"
        found = self.db.execute(f"SELECT count(*) FROM ({compared})").fetchone()[0]
        right = self.db.execute("SELECT count(*) FROM expected").fetchone()[0]
        # Columns go by position: DuckDB's own have no names worth comparing.
        names = ", ".join(f"c{n}" for n in range(len(self.db.execute("FROM expected").description)))
        differences = self.db.execute(
            f"SELECT {names}, sum(sign) FROM (SELECT *, 1 FROM expected UNION ALL "
            f"SELECT *, -1 FROM ({compared})) AS t({names}, sign) "
            "GROUP BY ALL HAVING sum(sign) <> 0").fetchall()
        impossible = self.db.execute(query.wrong).fetchall() if query.wrong.strip() else []
        parts = []
        for what, rows in (("missing", [row[:-1] for row in differences if row[-1] > 0]),
                           ("wrong", [row[:-1] for row in differences if row[-1] < 0]),
                           ("impossible", impossible)):
            parts += [f"{len(rows)} {what}, such as {row}" for row in rows[:SHOWN_MAX]]
        if parts:
            parts.insert(0, f"{found:,} rows, DuckDB has {right:,}")
        elif right == 0:
            parts = ["DuckDB finds no row: nothing was compared"]
        return found, "\n  ".join(parts) or None

    def query(self, query, shards):
        began = time.monotonic()
        self.db.execute(f"CREATE OR REPLACE TABLE expected AS {query.right}")
        ways = [(f"{shards[0]} shard: rows", self.final_rows, shards[0])]
        ways += [(f"{n} shards: changes", self.changes, n) for n in shards[1:]]
        if query.name in APPEND_ONLY:
            ways.append((f"{shards[-1]} shards: inserted", self.insert, shards[-1]))
        said = [self.compare(query, way, run(query, n)) for way, run, n in ways]
        if said and None not in said:
            print(f"{query.name}: ok: {'; '.join(said)} ({time.monotonic() - began:.1f} s)",
                  flush=True)


def main():
    parser = argparse.ArgumentParser(description="Nexmark: Rialto's answers against DuckDB's")
    parser.add_argument("rialto", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--queries", default=",".join(QUERIES))
    parser.add_argument("--shards", default="1,2")
    options = parser.parse_args()
    shards = [int(n) for n in options.shards.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        check = Check(options, shards, pathlib.Path(folder))
        for name in options.queries.split(","):
            check.query(Query(name), shards)
    if check.failed:
        print(f"check: {check.failed} answers are wrong", file=sys.stderr)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
