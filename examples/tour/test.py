#!/usr/bin/env python3
"""The README's tour, line by line: every command of its code blocks is run as it stands there, in a
folder with what the text around it takes for granted, and must say what stands below it. Numbers of
steps and checkpoints, ports, the figures of single changes (which depend on how the rows were cut into
steps) and lines that are left out (`...`) may be others.

RIALTO names the command. What needs psql, curl or the Online Retail data says that it was skipped
where they are not there."""

import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEADLINE_SECONDS = 180
KILLED = "^C (or kill -9, or a pulled plug)"


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def fences(text):
    """The code blocks that have commands, each as a list of (command, lines that it answers)."""
    for block in re.findall(r"^```\n(\$ .*?)^```$", text, re.M | re.S):
        steps, lines = [], iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                steps[-1][1].append(line)
                continue
            said = line[2:]
            while said.endswith("\\"):
                said += "\n" + next(lines)
            steps.append((said, []))
        yield steps


def alike(text):
    """A text without what is another number each time."""
    text = re.sub(r'"step":\d+', '"step":N', text)
    text = re.sub(r'(?m)^(.*"op":.*?"row":)(.*)$', lambda of: of[1] + re.sub(
        r'":("[a-z]+"|[\d.]+)', '":N', of[2]), text)
    return re.sub(r"from checkpoint \d+, behind \d+ rows", "from checkpoint N, behind N rows", text)


def says(found, expected):
    """Whether all lines that are expected stand in a text, in their order."""
    lines = iter(in_order(alike(found).splitlines()))
    return all(line in lines for line in in_order([alike(l) for l in expected if l != "..."]))


def in_order(lines):
    """Lines with the rows of each table sorted: a view's rows come in no order of their own."""
    runs = itertools.groupby(lines, key=lambda line: line.startswith("|"))
    return [line for is_row, run in runs for line in (sorted(run) if is_row else run)]


class Tour:
    """The folder in which the commands are run, and what runs in it."""

    def __init__(self, folder):
        self.folder, self.running, self.failures, self.skipped = folder, [], [], []
        self.http, self.postgres = free_ports(2)
        (folder / "bin").mkdir()
        (folder / "bin/rialto").symlink_to(command())
        (folder / "examples").symlink_to(ROOT / "examples")
        self.environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}

    def shell(self, said):
        """The command as it is run: with ports that are free."""
        return said.replace("8080", str(self.http)).replace("5433", str(self.postgres))

    def run(self, said):
        return subprocess.run(
            ["bash", "-c", self.shell(said)], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, encoding="utf-8", timeout=DEADLINE_SECONDS)

    def start(self, said):
        log = (self.folder / f"log-{len(self.running)}").open("w+", encoding="utf-8")
        process = subprocess.Popen(
            ["bash", "-c", "exec " + self.shell(said.removesuffix("&"))], cwd=self.folder,
            env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        self.running.append((process, log))
        return process, log

    def stop(self, how=signal.SIGINT):
        """Ends what was started last."""
        process, log = self.running.pop()
        if process.poll() is None:
            process.send_signal(how)
        process.wait(DEADLINE_SECONDS)
        log.seek(0)
        text = log.read()
        log.close()
        return text

    def until(self, is_so, what):
        end = time.monotonic() + DEADLINE_SECONDS
        while not is_so():
            process, log = self.running[-1]
            if process.poll() is not None or time.monotonic() > end:
                log.seek(0)
                self.failures.append(f"{what}: {log.read()[-400:]}")
                return False
            time.sleep(0.1)
        return True

    def until_answers(self, path="/v1/status"):
        def answers():
            try:
                url = f"http://127.0.0.1:{self.http}{path}"
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, TimeoutError):
                return False
        return self.until(answers, f"{path} is not answered")

    def expect(self, said, expected):
        """Runs a command to its end; it must say what is expected."""
        tool = said.split()[0]
        if not shutil.which(tool, path=self.environment["PATH"]):
            self.skipped.append(tool)
            return
        done = self.run(said)
        found = done.stdout + done.stderr
        # What stands there whole must be all that there is.
        whole = said.startswith("rialto sql") and "..." not in expected
        well = found.splitlines() == expected if whole else says(found, expected)
        if not well or (tool != "rialto" and done.returncode):
            self.failures.append(f"{said}\n{found[:600]}")


def ended(tour, steps):
    """Commands that end by themselves."""
    for said, expected in steps:
        if "online-retail" in said and not data().is_dir():
            tour.skipped.append(str(data()))
            continue
        if "online-retail" in said:
            said += f" -D DATA={data()}"
        tour.expect(said, expected)


def data():
    return pathlib.Path(
        os.environ.get("RIALTO_DATA", ROOT.parent / "shared/data")).resolve() / "online-retail"


def killed(tour, steps):
    """A project that never ends, killed where it says so, and run again."""
    sql = tour.folder / "my-shop/sql"
    sql.mkdir(parents=True)
    (tour.folder / "my-shop/rialto.toml").write_text("", encoding="utf-8")
    (sql / "10_sales.sql").write_text(
        "CREATE TABLE made (id BIGINT, store INT) WITH ('connector' = 'datagen',"
        " 'rows-per-second' = '20000', 'fields.store.min' = '1', 'fields.store.max' = '9');\n"
        "CREATE MATERIALIZED VIEW sold AS SELECT store, COUNT(*) AS n FROM made GROUP BY store;\n",
        encoding="utf-8")
    manifests = tour.folder / "my-shop/.rialto/state/checkpoints/manifests"
    for said, expected in steps:
        before = {path.name for path in manifests.glob("*")}
        tour.start(said)
        tour.until(lambda: {path.name for path in manifests.glob("[0-9]*")} - before,
                   "no checkpoint comes")
        text = tour.stop(signal.SIGKILL if KILLED in expected else signal.SIGINT)
        if not says(text, [line for line in expected if line != KILLED]):
            tour.failures.append(f"{said}\n{text[:600]}")
    shutil.rmtree(tour.folder / "my-shop")


def served(tour, steps):
    """The project of docs/ingest.md, with the sales that the answers are of."""
    ingest = (ROOT / "docs/ingest.md").read_text(encoding="utf-8")
    sql = re.search(r"^```sql\n-- (shop/\S+)\n(.*?)^```$", ingest, re.M | re.S)
    (tour.folder / sql[1]).parent.mkdir(parents=True)
    (tour.folder / sql[1]).write_text(sql[2], encoding="utf-8")
    (tour.folder / "shop/rialto.toml").write_text("", encoding="utf-8")
    tour.start(steps[0][0])
    rows = b"""[{"event_id": "7-1", "store": 7, "sku": "tea", "qty": 2, "price": 4.5},
                {"event_id": "9-1", "store": 9, "sku": "milk", "qty": 1, "price": 1.2}]"""
    if tour.until_answers():
        urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{tour.http}/v1/events/sales", rows,
            {"Content-Type": "application/json"}), timeout=30)
        if tour.until_answers("/v1/views/revenue/9"):
            for said, expected in steps[1:]:
                tour.expect(said, expected)
    tour.stop()


def own(tour, steps):
    """A shop of one's own: made, tested, and run until it answers."""
    (tour.folder / "till.csv").write_text(
        "receipt,line,kind,sold,article,pieces,cents\n4711,1,S,02/03/2026 10:15,TEA,2,995\n",
        encoding="utf-8")
    for said, _ in steps[:-1]:
        done = tour.run(said)
        if done.returncode != 0:
            tour.failures.append(f"{said}\n{(done.stdout + done.stderr)[-600:]}")
    tour.start(steps[-1][0])
    tour.until_answers()
    tour.stop()


def demo(tour, steps):
    """The demo, read as soon as there is something to read, killed, and run once more."""
    said = f"{steps[0][0]} --serve 127.0.0.1:8080 --postgres 127.0.0.1:5433"
    for how in (signal.SIGKILL, signal.SIGINT):
        tour.start(said)
        if tour.until_answers("/v1/views/replenishment_decision?limit=3"):
            for other, expected in steps[1:]:
                tour.expect(other, expected)
        tour.stop(how)


def walk(steps):
    """Who walks through a block of the tour."""
    said = [said for said, _ in steps]
    if any(KILLED in expected for _, expected in steps):
        return killed
    if said[0].endswith("&"):
        return served
    return {"rialto init": own, "rialto demo": demo}.get(" ".join(said[0].split()[:2]), ended)


def main():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tour_text = readme.split("## A tour")[1].split("\n## ")[0]
    count = 0
    with tempfile.TemporaryDirectory() as name:
        tour = Tour(pathlib.Path(name))
        for steps in fences(tour_text):
            walk(steps)(tour, steps)
            count += len(steps)
        for process, _ in tour.running:
            process.kill()
    commands = sum(line.startswith("$ ") for line in tour_text.splitlines())
    if commands != count:
        tour.failures.append(f"{count} of {commands} commands were found")
    for failure in tour.failures:
        print(f"tour: FAILED: {failure}")
    if tour.skipped:
        print(f"tour: SKIPPED: what needs {', '.join(sorted(set(tour.skipped)))}")
    print(f"tour: {'FAILED' if tour.failures else 'ok'}: {count} commands of the README")
    return 1 if tour.failures else 0


if __name__ == "__main__":
    sys.exit(main())
