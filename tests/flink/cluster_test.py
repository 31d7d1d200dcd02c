#!/usr/bin/env python3
"""Deploys projects to a real Flink cluster over a real Kafka, and compares with local Rialto.

    cluster_test.py RIALTO [--short] [--only NAME,...] [--no-kill] [--events N]

For each project: `rialto deploy flink` renders it; the local Rialto fills the topics; Flink runs the
job to the end of what is in them; the local Rialto reads the views back from their topics. Its rows
are held against those of `rialto run`, row for row, as multisets. `rialto deploy check` runs the
fixtures of a pack. Then one project runs without end while the TaskManager under it is killed behind
its first checkpoint and its text is upgraded, and the views that Rialto serves must come to be exact.
At last the gateway is killed, and a cluster has no Kafka connector: `deploy` must say what to do.

`--short` takes a few projects and the kill. Prints a table of equality and timings. Exit code 0: all is equal; 1: something is not; 3 of the
scripts that start Kafka and Flink: there can be none here, which is said, and is no failure.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STEP_SECONDS_MAX = 600
SHOWN_MAX = 4
# All but q12, whose windows are those of the clock (docs/divergences/known-differences.md).
NEXMARK = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q13", "q14",
           "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22", "q23"]
SEEDS = ["clicks-per-minute", "daily-sales", "low-stock", "marketing-report", "shopping-events"]
# Packs on two days of a small simulated shop.
PACKS = ["ads", "behavior", "customers", "inventory", "loyalty", "market", "pricing", "recommend",
         "replenishment", "sales"]
# Those that read what was decided, which no shop tells.
DECIDED = {"customers", "replenishment"}
SHORT = ["demo", "low-stock", "q4", "q8", "q20"]
# The pack whose fixtures are checked on both sides, and how many of them.
CHECKED = ("inventory", "position", 4)
# The folder with the CSV files of the real data set; without it that example is left out.
RETAIL = pathlib.Path(os.environ.get("RIALTO_RETAIL", ROOT.parent / "shared/data/online-retail"))
RETAIL_FILES = 2
# Flink 2.3 takes no row of this ranking back (docs/scale-out.md), so it needs a key.
KEYS = {"q9": "PRIMARY KEY (id) NOT ENFORCED"}


def settings(command, name):
    """Runs a script that prints shell assignments."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 3:
        print(f"cluster_test: SKIPPED: no {name} on this machine", file=sys.stderr)
        sys.exit(0)
    if done.returncode:
        sys.exit(f"cluster_test: {name} could not be started")
    pairs = (line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {key: value.strip("'\"") for key, value in pairs}


def create_topics(bootstrap, names):
    """Kafka's CreateTopics, version 2: topics that are there already stay as they are."""
    def text(value):
        return struct.pack(">h", len(value)) + value.encode()

    topics = b"".join(text(name) + struct.pack(">ihii", 1, 1, 0, 0) for name in names)
    body = struct.pack(">i", len(names)) + topics + struct.pack(">i?", 30000, False)
    message = struct.pack(">hhi", 19, 2, 1) + text("cluster_test") + body
    host, port = bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as broker:
        broker.sendall(struct.pack(">i", len(message)) + message)
        size = struct.unpack(">i", receive(broker, 4))[0]
        answer = receive(broker, size)
    at = 12
    for _ in names:
        length = struct.unpack_from(">h", answer, at)[0]
        name = answer[at + 2:at + 2 + length].decode()
        code, said = struct.unpack_from(">hh", answer, at + 2 + length)
        at += 2 + length + 4 + max(said, 0)
        if code not in (0, 36):
            sys.exit(f"cluster_test: the topic {name} could not be made: error {code}")


def receive(broker, count):
    data = b""
    while len(data) < count:
        part = broker.recv(count - len(data))
        if not part:
            sys.exit("cluster_test: the broker closed the connection")
        data += part
    return data


def statements(script):
    """The statements of a file that `rialto deploy --local` has written."""
    found = re.sub(r"^--.*\n", "", script, flags=re.MULTILINE).split(";\n\n")
    return [text.strip() for text in found if text.strip()]


def rows_of(output):
    """The rows of each view, as a multiset, of what `rialto run -o json` prints."""
    views = collections.defaultdict(collections.Counter)
    for line in output.splitlines():
        line = json.loads(line)
        if set(line) == {"table", "row"}:
            views[line["table"]][json.dumps(line["row"], sort_keys=True)] += 1
    return views


def differences(expected, found):
    """What is missing and what is too much, a few of each."""
    for view in sorted(set(expected) | set(found)):
        missing = expected.get(view, collections.Counter()) - found.get(view, collections.Counter())
        extra = found.get(view, collections.Counter()) - expected.get(view, collections.Counter())
        if missing or extra:
            yield (f"{view}: {sum(missing.values())} rows are missing, {sum(extra.values())} are "
                   f"too many; missing {list(missing)[:SHOWN_MAX]}, extra {list(extra)[:SHOWN_MAX]}")


class Lab:
    """Kafka, Flink, the command, and a folder."""

    def __init__(self, rialto, folder):
        me = str(os.getpid())
        self.rialto, self.folder = rialto, folder
        # Transactions may be as long as Flink's; topics are made here.
        kafka = settings([ROOT / "scripts/kafka.sh", "up", "--for", me], "Apache Kafka")
        self.kafka, self.bootstrap = kafka["KAFKA_DIR"], kafka["KAFKA_BOOTSTRAP"]
        flink = settings([HERE / "cluster.sh", "up", "--for", me], "Flink cluster")
        self.flink, self.rest = flink["FLINK_DIR"], flink["FLINK_REST"]
        self.gateway = flink["FLINK_GATEWAY"]

    def run(self, *arguments, timeout=STEP_SECONDS_MAX):
        done = subprocess.run([self.rialto, *map(str, arguments)], capture_output=True, text=True,
                              cwd=self.folder, timeout=timeout, check=False)
        if done.returncode:
            raise AssertionError(f"rialto {' '.join(map(str, arguments))} failed:\n"
                                 f"{done.stdout[-4000:]}{done.stderr[:2000]}")
        return done.stdout

    def config(self, name, bounded):
        """A flink.toml for one case."""
        text = f"""name = "{name}"
bootstrap-servers = "{self.bootstrap}"
topic-prefix = "{name}."
[settings]
"execution.checkpointing.interval" = "1 s"
"parallelism.default" = "2"
[connectors]
filesystem = "topic"
"""
        if bounded:
            text += '[source]\n"scan.bounded.mode" = "latest-offset"\n'
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return path

    def ask(self, path):
        with urllib.request.urlopen(self.rest + path, timeout=30) as answer:
            return json.load(answer)

    def end_of(self, job):
        """Waits until a job is over; its state and its seconds."""
        end = time.monotonic() + STEP_SECONDS_MAX
        while time.monotonic() < end:
            found = self.ask(f"/jobs/{job}")
            if found["state"] in ("FINISHED", "FAILED", "CANCELED"):
                return found["state"], found["duration"] / 1000
            time.sleep(0.2)
        raise AssertionError(f"job {job} does not end")

    def compare(self, name, project, variables):
        """One project on both; what is not equal, and the seconds of both."""
        options = [part for variable in variables for part in ("-D", variable)]
        start = time.monotonic()
        expected = rows_of(self.run("run", project, *options, "-o", "json", "--rows", 10**9))
        local_seconds = time.monotonic() - start
        local = self.folder / f"{name}.local.sql"
        deploy = ["deploy", "flink", project, *options, "--config", self.config(name, True)]
        told = json.loads(self.run(*deploy, "--dry-run", "--local", local, "-o", "json"))
        create_topics(self.bootstrap, [topic["name"] for topic in told["topics"]])
        parts = statements(local.read_text())
        is_view = lambda text: text.startswith("CREATE MATERIALIZED VIEW")
        feed, views = self.folder / f"{name}.feed.sql", self.folder / f"{name}.views.sql"
        feed.write_text(";\n".join(text for text in parts if not is_view(text)) + ";\n")
        views.write_text(";\n".join(t for t in parts if not t.startswith("INSERT INTO")) + ";\n")
        self.run("run", feed, "-D", "BOUNDED=latest-offset", "--shards", 1)
        done = json.loads(self.run(*deploy, "--gateway", self.gateway, "-o", "json"))
        state, flink_seconds = self.end_of(done["job"])
        if state != "FINISHED":
            raise AssertionError(f"the job is {state}: " + str(
                self.ask(f"/jobs/{done['job']}/exceptions").get("exceptionHistory"))[:1500])
        again = json.loads(self.run(*deploy, "--gateway", self.gateway, "-o", "json"))
        if again["submitted"]:
            raise AssertionError("the same text was submitted twice")
        found = rows_of(self.run("run", views, "-D", "BOUNDED=latest-offset", "-o", "json",
                                 "--rows", 10**9))
        rows = sum(sum(view.values()) for view in expected.values())
        return list(differences(expected, found)), rows, local_seconds, flink_seconds

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
        """A pack on the simulated shop."""
        folder = self.folder / f"pack-{name}"
        folder.mkdir()
        own = ROOT / "packs" / name
        said = tomllib.loads((own / "rialto.toml").read_text())
        # Its rows come from the shop instead of logs.
        include = [own / path.replace("from_log", "from_shop") for path in said["include"]]
        if name in DECIDED:
            # What was decided so far: nothing. A log would have no end.
            (self.folder / f"{name}-decided").mkdir()
            (self.folder / f"{name}-decided/none.ndjson").touch()
            decided = self.folder / f"{name}-decided.sql"
            decided.write_text(
                f"CREATE TABLE decision WITH ('connector' = 'filesystem', 'path' = "
                f"'{self.folder}/{name}-decided', 'format' = 'json') LIKE model.decision;\n")
            include.append(decided)
        include.append(own / "sql")
        shown = ", ".join(f'"{path}"' for path in include)
        variables = "".join(f'{key} = "{value}"\n'
                            for key, value in said.get("variables", {}).items())
        (folder / "rialto.toml").write_text(f"include = [{shown}]\n[variables]\n{variables}")
        return folder

    def cases(self, events):
        """Every project with its variables, by name; made when it is asked for."""
        found = {"demo": lambda: (self.copy("demo", "demo"), ["ROWS=4000", "RATE=1000000"])}
        for name in SEEDS:
            found[name] = lambda name=name: (self.seed(name), [])
        if RETAIL.is_dir():
            found["online-retail"] = self.retail
        else:
            print(f"online-retail: SKIPPED: {RETAIL} is not there (RIALTO_RETAIL says where)")
        for name in PACKS:
            found[name] = lambda name=name: (
                self.pack(name), ["SHOP_DAYS=2", "SHOP_CUSTOMERS=100"])
        for name in NEXMARK:
            found[name] = lambda name=name: (
                self.nexmark(name), [f"DATA={self.events(events)}", f"SIDE={self.side()}"])
        return found

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

    def events(self, count):
        data = self.folder / "nexmark"
        if not data.exists():
            self.run("nexmark", "--dir", data, "--events", count)
        return data

    def side(self):
        """The side input of q13."""
        folder = self.folder / "side"
        if not folder.exists():
            folder.mkdir()
            rows = "".join(f"{key},side-{key}\n" for key in range(10000))
            (folder / "side.csv").write_text(rows)
        return folder

    def checked(self):
        """The fixtures of a pack on both sides, and one that must be found to differ."""
        pack, only, count = CHECKED
        config = self.config("checked", False)
        options = ["--gateway", self.gateway, "--config", config, "-o", "json"]
        found = self.run("deploy", "--check", ROOT / "packs" / pack, "--only", only, *options)
        found = [json.loads(line) for line in found.splitlines()]
        if len(found) != count or not any(one["rows"] for one in found):
            raise AssertionError(f"these fixtures are not those of {pack}: {found}")
        project = self.folder / "clock"
        (project / "tests").mkdir(parents=True)
        (project / "clock.sql").write_text(
            "CREATE TABLE t (a INT) WITH ('connector' = 'log');\n"
            "CREATE MATERIALIZED VIEW v AS SELECT a, CURRENT_TIMESTAMP AS now FROM t;\n")
        (project / "tests/clock.yaml").write_text(
            "- name: a clock\n  given: [{t: [{a: 1}]}]\n  expect: {v: [{a: 1}]}\n")
        done = subprocess.run([self.rialto, "deploy", "check", project, *map(str, options)],
                              capture_output=True, text=True, cwd=self.folder, check=False)
        if done.returncode != 1 or "on Flink only {a: 1" not in done.stdout:
            raise AssertionError(f"a clock is the same on both sides: {done}")
        return count

    def troubles(self):
        """A gateway that is gone and comes again, and a cluster without the Kafka connector."""
        project = self.seed("daily-sales")
        deploy = ["deploy", "flink", project, "--config", self.config("daily-sales", True)]

        def told(gateway):
            done = subprocess.run([self.rialto, *map(str, deploy), "--gateway", gateway],
                                  capture_output=True, text=True, cwd=self.folder, check=False)
            return done.returncode, done.stdout + done.stderr
        other = settings([HERE / "cluster.sh", "up", "--without-kafka", "--for", str(os.getpid())],
                         "Flink cluster")
        (self.folder / ".rialto/flink-daily-sales.json").unlink(missing_ok=True)
        code, text = told(other["FLINK_GATEWAY"])
        subprocess.run([HERE / "cluster.sh", "down", other["FLINK_DIR"]], check=True)
        if code != 1 or "identifier 'kafka'" not in text or "hint: put the jar" not in text:
            raise AssertionError(f"without the connector: {code} {text}")
        subprocess.run([HERE / "cluster.sh", "kill", self.flink, "gateway"], check=True)
        code, text = told(self.gateway)
        if code != 1 or "does not answer" not in text or "hint: is it running" not in text:
            raise AssertionError(f"without a gateway: {code} {text}")
        subprocess.run([HERE / "cluster.sh", "start", self.flink, "gateway"], check=True)
        self.wait(lambda: told(self.gateway)[0] == 0, "the gateway is there again")

    def killed(self):
        """A view that is served while the TaskManager that computes it is killed."""
        name, variables = "killed", ["ROWS=12000", "RATE=400"]
        options = [part for variable in variables for part in ("-D", variable)]
        fast = ["-D", "ROWS=12000", "-D", "RATE=1000000"]
        project = self.copy("demo", name)
        wanted = {"channels", "top_products", "returns"}
        expected = rows_of(self.run("run", project, *fast, "-o", "json", "--rows", 10**9))
        expected = {view: rows for view, rows in expected.items() if view in wanted}
        local = self.folder / "killed.local.sql"
        config = self.config(name, False)
        config.write_text(config.read_text().replace('"1 s"', '"5 s"'))
        deploy = ["deploy", "flink", project, *options, "--config", config]
        told = json.loads(self.run(*deploy, "--dry-run", "--local", local, "-o", "json"))
        create_topics(self.bootstrap, [topic["name"] for topic in told["topics"]])
        job = json.loads(self.run(*deploy, "--gateway", self.gateway, "-o", "json"))["job"]
        with open(self.folder / "serving.log", "w", encoding="utf-8") as log:
            serving = subprocess.Popen(
                [self.rialto, "run", local, "--serve", "127.0.0.1:0", "--state",
                 self.folder / "serving", "--shards", "1"], cwd=self.folder, stdout=log, stderr=log)
        try:
            base = self.wait(lambda: self.address(), "the local Rialto serves")
            # From here on it goes on from a checkpoint that was begun while the constant rows of
            # `articles` did not count as read yet: the earliest, and the worst, moment.
            self.wait(lambda: self.checkpoints(job) >= 1, "a checkpoint is there")
            self.wait(lambda: self.served(base, "channels"), "the first rows are served")
            which = self.task_manager(job)
            subprocess.run([HERE / "cluster.sh", "kill", self.flink, which], check=True)
            killed = time.monotonic()
            self.wait(lambda: self.ask(f"/jobs/{job}")["state"] == "RUNNING"
                      and self.restarts(job) > 0, "the job runs again")
            recovery = time.monotonic() - killed
            job = self.upgraded(project, deploy, job)
            found = {}

            def is_exact():
                found.update({view: self.served(base, view) for view in wanted})
                return found == expected
            try:
                self.wait(is_exact, "the views are exact", 180)
            except AssertionError:
                return list(differences(expected, found)), recovery
            return [], recovery
        finally:
            serving.terminate()
            serving.wait(60)
            subprocess.run([self.rialto, *map(str, ["deploy", "cancel", "--job", job, "--rest",
                                                    self.rest])], check=False)

    def upgraded(self, project, deploy, job):
        """Edits a statement of a running project, and goes on from a savepoint; the new job."""
        self.wait(lambda: all(vertex["status"] in ("RUNNING", "FINISHED")
                              for vertex in self.ask(f"/jobs/{job}")["vertices"]), "all tasks run")
        taken = self.run("deploy", "savepoint", project).strip()
        if not pathlib.Path(taken.removeprefix("file:")).is_dir():
            raise AssertionError(f"there is no savepoint {taken}")
        file = project / "sql/20_kpis.sql"
        text = file.read_text()
        file.write_text(text.replace("COUNT(*) AS lines", "COUNT(*) /* all */ AS lines"))
        refused = subprocess.run([self.rialto, *map(str, deploy), "--gateway", self.gateway],
                                 capture_output=True, text=True, cwd=self.folder, check=False)
        if refused.returncode != 2 or "with another text" not in refused.stderr:
            raise AssertionError(f"an edited project was not refused: {refused}")
        done = json.loads(self.run("deploy", "upgrade", *deploy[2:], "-o", "json"))
        if not done["savepoint"] or done["job"] == job or self.ask(f"/jobs/{job}")["state"] not in (
                "FINISHED", "CANCELED"):
            raise AssertionError(f"it was not upgraded: {done}")
        return done["job"]

    def wait(self, condition, what, limit=STEP_SECONDS_MAX):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            answer = condition()
            if answer:
                return answer
            time.sleep(0.2)
        raise AssertionError(f"not so after {limit} s: {what}")

    def address(self):
        log = (self.folder / "serving.log").read_text(encoding="utf-8")
        found = re.search(r"http://127\.0\.0\.1:\d+", log)
        return found and found[0]

    def served(self, base, view):
        """The rows of a view over the API; none while there is no such view yet."""
        rows = collections.Counter()
        try:
            with urllib.request.urlopen(f"{base}/v1/views/{view}?limit=10000", timeout=30) as page:
                for row in json.load(page)["rows"]:
                    rows[json.dumps(row, sort_keys=True)] += 1
        except OSError:
            pass
        return rows

    def task_manager(self, job):
        """The role whose TaskManager runs the job's source."""
        vertex = self.ask(f"/jobs/{job}")["vertices"][0]["id"]
        where = self.ask(f"/jobs/{job}/vertices/{vertex}")["subtasks"][0]["taskmanager-id"]
        port = where.rsplit("-", 1)[0].rsplit(":", 1)[-1]
        for role in ("taskmanager-1", "taskmanager-2"):
            pid = pathlib.Path(self.flink, f"{role}.pid").read_text().strip()
            if f":{port} " in listening(pid):
                return role
        raise AssertionError(f"no TaskManager listens at {port}")

    def checkpoints(self, job):
        return self.ask(f"/jobs/{job}/checkpoints")["counts"]["completed"]

    def restarts(self, job):
        found = self.ask(f"/jobs/{job}/exceptions")
        return len(found.get("exceptionHistory", {}).get("entries", []))


def listening(pid):
    """The addresses at which a process listens, from /proc."""
    sockets = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(os.readlink(entry))
        except OSError:
            continue
    found = ""
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            if f"socket:[{parts[9]}]" in sockets and parts[3] == "0A":
                found += f":{int(parts[1].rsplit(':', 1)[1], 16)} "
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rialto", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--events", type=int, default=20000)
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    if arguments.short:
        only += [*SHORT, "killed"]
    failed, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rialto-cluster-") as folder:
        lab = Lab(arguments.rialto.resolve(), pathlib.Path(folder))
        print(f"{'project':<18}{'rows':>9}{'equal':>9}{'Rialto s':>10}{'Flink s':>10}", flush=True)
        for name, make in lab.cases(arguments.events).items():
            if only and name not in only:
                continue
            try:
                wrong, rows, ours, theirs = lab.compare(name, *make())
                equal = "no" if wrong else "yes"
                print(f"{name:<18}{rows:>9}{equal:>9}{ours:>10.2f}{theirs:>10.2f}", flush=True)
            except AssertionError as error:
                wrong = [str(error)]
                print(f"{name:<18}{'':>9}{'failed':>9}", flush=True)
            failed += bool(wrong)
            for line in wrong:
                print(f"    {line}", flush=True)
        if not arguments.no_kill and (not only or "killed" in only):
            try:
                wrong, recovery = lab.killed()
            except AssertionError as error:
                wrong, recovery = [str(error)], 0
            failed += bool(wrong)
            print(f"a TaskManager was killed (the job ran again after {recovery:.1f} s) and the job "
                  f"upgraded: the served views are {'NOT ' if wrong else ''}exact", flush=True)
            for line in wrong:
                print(f"    {line}", flush=True)
        for name, what in [("checked", lab.checked), ("troubles", lab.troubles)]:
            if only and name not in only:
                continue
            try:
                found = what()
                print(f"{name:<18}{found or '':>9}{'yes':>9}", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{name:<18}{'':>9}{'failed':>9}\n    {error}", flush=True)
        print(f"all of it took {time.monotonic() - began:.0f} s", flush=True)
        subprocess.run([HERE / "cluster.sh", "down", lab.flink], check=False)
        subprocess.run([ROOT / "scripts/kafka.sh", "down", lab.kafka], check=False)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
