"""Kafka, Flink and the command, for the tests of deployments: what starts them, asks them, and runs
one project on both sides.
"""

import collections
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STEP_SECONDS_MAX = 600
SHOWN_MAX = 4


def started(command):
    """Runs a script that prints shell assignments; none where there can be none here."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 3:
        return None
    if done.returncode:
        sys.exit(f"cluster_test: {command[0]} failed")
    pairs = (line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {key: value.strip("'\"") for key, value in pairs}


def needed(command, name):
    """The same of what no test can do without."""
    found = started(command)
    if found is None:
        print(f"cluster_test: SKIPPED: no {name} on this machine", file=sys.stderr)
        sys.exit(0)
    return found


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
        self.me = str(os.getpid())
        self.rialto, self.folder = rialto, folder
        # Transactions may be as long as Flink's; topics are made here.
        kafka = needed([ROOT / "scripts/kafka.sh", "up", "--for", self.me], "Apache Kafka")
        self.kafka, self.bootstrap = kafka["KAFKA_DIR"], kafka["KAFKA_BOOTSTRAP"]
        flink = needed([HERE / "cluster.sh", "up", "--for", self.me], "Flink cluster")
        self.flink, self.rest = flink["FLINK_DIR"], flink["FLINK_REST"]
        self.gateway = flink["FLINK_GATEWAY"]

    def stop(self):
        """Stops both."""
        subprocess.run([HERE / "cluster.sh", "down", self.flink], check=False)
        subprocess.run([ROOT / "scripts/kafka.sh", "down", self.kafka], check=False)

    def told(self, *arguments, timeout=STEP_SECONDS_MAX):
        """Runs the command, whatever comes of it."""
        command = [self.rialto, *map(str, arguments)]
        try:
            return subprocess.run(command, capture_output=True, text=True, cwd=self.folder,
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not done after {timeout} s: {command}") from None

    def run(self, *arguments, timeout=STEP_SECONDS_MAX):
        """Runs the command, which must do well; what it prints."""
        done = self.told(*arguments, timeout=timeout)
        if done.returncode:
            raise AssertionError(f"rialto {' '.join(map(str, arguments))} failed:\n"
                                 f"{done.stdout[-4000:]}{done.stderr[:2000]}")
        return done.stdout

    def serving(self, script, name):
        """Starts a Rialto that serves; its process and its address."""
        path = self.folder / f"{name}.log"
        with open(path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [self.rialto, "run", script, "--serve", "127.0.0.1:0", "--state",
                 self.folder / name, "--shards", "1"], cwd=self.folder, stdout=log, stderr=log)

        def address():
            found = re.search(r"http://127\.0\.0\.1:\d+", path.read_text(encoding="utf-8"))
            return found and found[0]
        try:
            return process, self.wait(address, "the local Rialto serves", 120)
        except AssertionError:
            process.kill()
            raise

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
        """One project on both; what is not equal, the rows, and the seconds of both."""
        options = [part for variable in variables for part in ("-D", variable)]
        start = time.monotonic()
        expected = rows_of(self.run("run", project, *options, "-o", "json", "--rows", 10**9))
        local_seconds = time.monotonic() - start
        deploy = ["deploy", "flink", project, *options, "--config", self.config(name, True)]
        views = self.filled(name, deploy)
        done = json.loads(self.run(*deploy, "--gateway", self.gateway, "-o", "json"))
        flink_seconds = self.finished(done["job"])
        again = json.loads(self.run(*deploy, "--gateway", self.gateway, "-o", "json"))
        if again["submitted"]:
            raise AssertionError("the same text was submitted twice")
        found = self.read_back(views)
        rows = sum(sum(view.values()) for view in expected.values())
        return list(differences(expected, found)), rows, local_seconds, flink_seconds

    def filled(self, name, deploy, script=None):
        """Makes the topics of a project and fills those that Flink reads; what reads the others."""
        local = self.folder / f"{name}.local.sql"
        more = ["--script", script] if script else []
        told = json.loads(self.run(*deploy, "--dry-run", "--local", local, *more, "-o", "json"))
        create_topics(self.bootstrap, [topic["name"] for topic in told["topics"]])
        parts = statements(local.read_text())
        is_view = lambda text: text.startswith("CREATE MATERIALIZED VIEW")
        feed, views = self.folder / f"{name}.feed.sql", self.folder / f"{name}.views.sql"
        feed.write_text(";\n".join(text for text in parts if not is_view(text)) + ";\n")
        views.write_text(";\n".join(t for t in parts if not t.startswith("INSERT INTO")) + ";\n")
        if any(text.startswith("INSERT INTO") for text in parts):
            self.run("run", feed, "-D", "BOUNDED=latest-offset", "--shards", 1)
        return views

    def finished(self, job):
        """Waits until a job has finished; its seconds."""
        state, seconds = self.end_of(job)
        if state != "FINISHED":
            raise AssertionError(f"the job is {state}: " + str(
                self.ask(f"/jobs/{job}/exceptions").get("exceptionHistory"))[:1500])
        return seconds

    def read_back(self, views):
        """What the views hold that Flink has computed."""
        return rows_of(self.run("run", views, "-D", "BOUNDED=latest-offset", "-o", "json",
                                "--rows", 10**9))

    def wait(self, condition, what, limit=STEP_SECONDS_MAX):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            answer = condition()
            if answer:
                return answer
            time.sleep(0.2)
        raise AssertionError(f"not so after {limit} s: {what}")

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

    def kill(self, job):
        """Kills the TaskManager of a job, and starts it anew; the seconds without the job."""
        which = self.task_manager(job)
        subprocess.run([HERE / "cluster.sh", "kill", self.flink, which], check=True)
        killed = time.monotonic()
        self.wait(lambda: self.ask(f"/jobs/{job}")["state"] == "RUNNING"
                  and self.restarts(job) > 0, "the job runs again")
        recovery = time.monotonic() - killed
        subprocess.run([HERE / "cluster.sh", "start", self.flink, which], check=True)
        return recovery

    def forget(self, project):
        """Removes the note of what was deployed."""
        (self.folder / f".rialto/flink-{project}.json").unlink(missing_ok=True)

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
