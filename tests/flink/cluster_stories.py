"""What happens to a deployment: each story ends with what was seen, or an AssertionError.

`STORIES` names them; the order is that of a run. A story that has no rows to compare gives none.
"""

import collections
import http.server
import json
import pathlib
import subprocess
import threading
import time
import urllib.error
import urllib.request

from cluster_lab import HERE, ROOT, create_topics, differences, needed, rows_of, started

# The pack whose fixtures are checked on both sides, and how many of them.
CHECKED = ("inventory", "position", 4)


def killed(lab, projects):
    """A view that is served while the TaskManager that computes it is killed, and then upgraded."""
    name, variables = "killed", ["ROWS=12000", "RATE=400"]
    options = [part for variable in variables for part in ("-D", variable)]
    fast = ["-D", "ROWS=12000", "-D", "RATE=1000000"]
    project = projects.copy("demo", name)
    wanted = {"channels", "top_products", "returns"}
    expected = rows_of(lab.run("run", project, *fast, "-o", "json", "--rows", 10**9))
    expected = {view: rows for view, rows in expected.items() if view in wanted}
    local = lab.folder / "killed.local.sql"
    config = lab.config(name, False)
    config.write_text(config.read_text().replace('"1 s"', '"5 s"'))
    deploy = ["deploy", "flink", project, *options, "--config", config]
    told = json.loads(lab.run(*deploy, "--dry-run", "--local", local, "-o", "json"))
    create_topics(lab.bootstrap, [topic["name"] for topic in told["topics"]])
    job = json.loads(lab.run(*deploy, "--gateway", lab.gateway, "-o", "json"))["job"]
    serving, base = lab.serving(local, "serving")
    try:
        # From here on it goes on from a checkpoint that was begun while the constant rows of
        # `articles` did not count as read yet: the earliest, and the worst, moment.
        lab.wait(lambda: lab.checkpoints(job) >= 1, "a checkpoint is there")
        lab.wait(lambda: lab.served(base, "channels"), "the first rows are served")
        recovery = lab.kill(job)
        followed(lab, project, job)
        job = upgraded(lab, project, deploy, job)
        found = {}

        def is_exact():
            found.update({view: lab.served(base, view) for view in wanted})
            return found == expected
        try:
            lab.wait(is_exact, "the views are exact", 180)
        except AssertionError:
            raise AssertionError("\n    ".join(differences(expected, found))) from None
        rows = sum(sum(view.values()) for view in expected.values())
        return rows, (f"the job ran again after {recovery:.1f} s, was upgraded, and what is served "
                      "is exact")
    finally:
        serving.terminate()
        serving.wait(60)
        lab.told("deploy", "cancel", "--job", job, "--rest", lab.rest)


def followed(lab, project, job):
    """What `rialto jobs` says of a job that was restarted: of the project, and of the cluster."""
    # Its rate may be nothing by now: all rows may have come.
    running = lambda: (now := json.loads(lab.run("jobs", project, "-o", "json")))[
        "state"] == "RUNNING" and now["checkpoint"] and now
    mine = lab.wait(running, "`rialto jobs` says that the job runs", 60)
    if mine["job"] != job or not mine["operators"]:
        raise AssertionError(f"this is not how the job is: {mine}")
    if not mine["exception"]:
        raise AssertionError(f"of the lost TaskManager nothing is said: {mine}")
    every = lab.run("jobs", "--gateway", lab.gateway, "-o", "json").splitlines()
    if job not in [json.loads(line)["job"] for line in every]:
        raise AssertionError(f"the job is not among those of the cluster: {every}")


def upgraded(lab, project, deploy, job):
    """Edits a statement of a running project, and goes on from a savepoint; the new job."""
    lab.wait(lambda: all(vertex["status"] in ("RUNNING", "FINISHED")
                         for vertex in lab.ask(f"/jobs/{job}")["vertices"]), "all tasks run")
    taken = lab.run("deploy", "savepoint", project).strip()
    if not pathlib.Path(taken.removeprefix("file:")).is_dir():
        raise AssertionError(f"there is no savepoint {taken}")
    file = project / "sql/20_kpis.sql"
    text = file.read_text()
    file.write_text(text.replace("COUNT(*) AS lines", "COUNT(*) /* all */ AS lines"))
    refused = lab.told(*deploy, "--gateway", lab.gateway)
    if refused.returncode != 2 or "with another text" not in refused.stderr:
        raise AssertionError(f"an edited project was not refused: {refused}")
    done = json.loads(lab.run("deploy", "upgrade", *deploy[2:], "-o", "json"))
    if not done["savepoint"] or done["job"] == job or lab.ask(f"/jobs/{job}")["state"] not in (
            "FINISHED", "CANCELED"):
        raise AssertionError(f"it was not upgraded: {done}")
    return done["job"]


def clocked(lab, projects):
    """q12 counts in windows of the clock, so its rows are not the query's to say; that each bid is
    counted once is. Flink closes no such window because a topic ends, so this one has no end."""
    project, data = projects.nexmark("q12"), projects.events()
    options = ["-D", f"DATA={data}", "-D", f"SIDE={projects.side()}"]

    def totals(rows):
        found = collections.Counter()
        for row, times in rows.get("q12", {}).items():
            row = json.loads(row)
            found[row["bidder"]] += row["bid_count"] * times
        return found
    expected = totals(rows_of(lab.run("run", project, *options, "-o", "json", "--rows", 10**9)))
    deploy = ["deploy", "flink", project, *options, "--config", lab.config("q12", False)]
    views = lab.filled("q12", deploy)
    job = json.loads(lab.run(*deploy, "--gateway", lab.gateway, "-o", "json"))["job"]
    try:
        # A window is ten seconds; behind it a checkpoint.
        lab.wait(lambda: totals(lab.read_back(views)) == expected, "every bid is counted once", 120)
    finally:
        lab.told("deploy", "cancel", "--job", job, "--rest", lab.rest)
    return sum(expected.values()), f"bids, the same count of each of {len(expected)} bidders"


TABLES = """
CREATE TABLE sold (id BIGINT, asked AS PROCTIME()) WITH (
  'connector' = 'datagen', 'rows-per-second' = '${RATE}', 'fields.id.kind' = 'sequence',
  'fields.id.start' = '1', 'fields.id.end' = '6000');
CREATE TABLE article (no BIGINT, name STRING, price DECIMAL(10, 2),
  PRIMARY KEY (no) NOT ENFORCED)
WITH (${DATABASE}, 'table-name' = 'article');
CREATE TABLE region (no BIGINT, region STRING) WITH (${DATABASE}, 'table-name' = 'region');
CREATE TABLE total (region STRING, name STRING, pieces BIGINT, turnover DECIMAL(38, 2),
  PRIMARY KEY (region, name) NOT ENFORCED)
WITH (${DATABASE}, 'table-name' = '${TOTAL}');
INSERT INTO total
SELECT r.region, a.name, COUNT(*), SUM(a.price)
FROM sold AS s
JOIN article FOR SYSTEM_TIME AS OF s.asked AS a ON a.no = CAST(MOD(s.id, 7) AS BIGINT)
JOIN region AS r ON r.no = CAST(MOD(s.id, 4) AS BIGINT)
GROUP BY r.region, a.name;
"""


def database(lab, projects):
    """Tables of PostgreSQL, read, looked up in and written, here and on Flink; there a TaskManager
    is killed while it runs."""
    server = started([ROOT / "scripts/postgres.sh", "up", "--for", lab.me])
    if server is None:
        return 0, "SKIPPED: no PostgreSQL on this machine"
    user, place = server["POSTGRES_URL"].removeprefix("postgresql://").split("@")
    name, password = user.split(":")
    with_clause = (f"'connector' = 'jdbc', 'url' = 'jdbc:postgresql://{place}', "
                   f"'username' = '{name}', 'password' = '{password}'")
    table = lambda name, columns, rows: subprocess.run(
        ["psql", server["POSTGRES_URL"], "-q", "-v", "ON_ERROR_STOP=1", "-c",
         f"CREATE TABLE {name} ({columns})", *(["-c", f"INSERT INTO {name} VALUES {rows}"]
                                               if rows else [])], check=True)
    listed = lambda make, count: ", ".join(f"({no}, {make(no)})" for no in range(count))
    table("article", "no bigint PRIMARY KEY, name text, price numeric(10, 2)",
          listed(lambda no: f"'article {no}', {no}.{no}9", 7))
    table("region", "no bigint, region text", listed(lambda no: f"'region {no % 3}'", 4))
    total = ("region text, name text, pieces bigint, turnover numeric(38, 2), "
             "PRIMARY KEY (region, name)")
    project = lab.folder / "database.sql"
    project.write_text(TABLES.replace("${DATABASE}", with_clause))

    def rows(of):
        show = lab.folder / f"{of}.sql"
        declared = project.read_text().split("CREATE TABLE total", 1)[1].split("INSERT INTO", 1)[0]
        show.write_text(f"CREATE TABLE total{declared}"
                        "CREATE MATERIALIZED VIEW shown AS SELECT * FROM total;\n")
        return rows_of(lab.run("run", show, "-D", f"TOTAL={of}", "-o", "json", "--rows", 10**9))
    for of in ("total_here", "total_there"):
        table(of, total, "")
    start = time.monotonic()
    lab.run("run", project, "-D", "RATE=1000000", "-D", "TOTAL=total_here")
    local = time.monotonic() - start
    deploy = ["deploy", "flink", project, "-D", "RATE=300", "-D", "TOTAL=total_there",
              "--config", lab.config("database", True)]
    lab.filled("database", deploy)
    job = json.loads(lab.run(*deploy, "--gateway", lab.gateway, "-o", "json"))["job"]
    lab.wait(lambda: lab.checkpoints(job) >= 2, "two checkpoints are there")
    lab.wait(lambda: rows("total_there"), "the first rows are in the database")
    if rows("total_there") == rows("total_here"):
        raise AssertionError("the job had ended before its TaskManager was killed")
    recovery = lab.kill(job)
    seconds = lab.finished(job)
    wrong = list(differences(rows("total_here"), rows("total_there")))
    if wrong:
        raise AssertionError("\n    ".join(wrong))
    return sum(rows("total_here")["shown"].values()), (
        f"of 6,000 counted; {local:.1f} s here, {seconds:.1f} s there at 300 a second, "
        f"with a TaskManager killed and the job back after {recovery:.1f} s")


def client(lab, projects):
    """What `--dry-run` prints runs in Flink's own `sql-client`."""
    project, name = projects.seed("marketing-report"), "client"
    expected = rows_of(lab.run("run", project, "-o", "json", "--rows", 10**9))
    script = lab.folder / "client.script.sql"
    deploy = ["deploy", "flink", project, "--config", lab.config(name, True)]
    views = lab.filled(name, deploy, script)
    done = subprocess.run([HERE / "cluster.sh", "sql", lab.flink, script], capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode or "[ERROR]" in done.stdout:
        said = done.stdout[-3000:] + done.stderr[-500:]
        raise AssertionError(f"the sql-client refuses it: {said}")
    jobs = [job["jid"] for job in lab.ask("/jobs/overview")["jobs"] if job["name"] == name]
    if len(jobs) != 1:
        raise AssertionError(f"it has started {len(jobs)} jobs: {done.stdout[-2000:]}")
    lab.finished(jobs[0])
    wrong = list(differences(expected, lab.read_back(views)))
    if wrong:
        raise AssertionError("\n    ".join(wrong))
    return sum(sum(view.values()) for view in expected.values()), "of a script that it ran"


def checked(lab, _projects):
    """The fixtures of a pack on both sides, and one that must be found to differ."""
    pack, only, count = CHECKED
    options = ["--gateway", lab.gateway, "--config", lab.config("checked", False), "-o", "json"]
    found = lab.run("deploy", "--check", ROOT / "packs" / pack, "--only", only, *options)
    found = [json.loads(line) for line in found.splitlines()]
    if len(found) != count or not any(one["rows"] for one in found):
        raise AssertionError(f"these fixtures are not those of {pack}: {found}")
    project = lab.folder / "clock"
    (project / "tests").mkdir(parents=True)
    (project / "clock.sql").write_text(
        "CREATE TABLE t (a INT) WITH ('connector' = 'log');\n"
        "CREATE MATERIALIZED VIEW v AS SELECT a, CURRENT_TIMESTAMP AS now FROM t;\n")
    (project / "tests/clock.yaml").write_text(
        "- name: a clock\n  given: [{t: [{a: 1}]}]\n  expect: {v: [{a: 1}]}\n")
    done = lab.told("deploy", "check", project, *options)
    if done.returncode != 1 or "on Flink only {a: 1" not in done.stdout:
        raise AssertionError(f"a clock is the same on both sides: {done}")
    return sum(one["rows"] for one in found), f"of {count} fixtures of the pack {pack}"


def failing(lab, projects):
    """A job that fails: `deploy` and `jobs` say why, and a mended record lets it go on."""
    project, name = lab.folder / "failing.sql", "failing"
    folder = lab.folder / "failing-rows"
    folder.mkdir()
    (folder / "rows.csv").write_text("1\n2\nx\n")
    project.write_text(
        f"CREATE TABLE t (a STRING) WITH ('connector' = 'filesystem', 'path' = '{folder}', "
        "'format' = 'csv');\n"
        "CREATE MATERIALIZED VIEW v AS SELECT SUM(CAST(a AS INT)) AS total FROM t;\n")
    config = lab.config(name, True)
    # Without a checkpoint before it fails: the text changes, and its state would not fit.
    config.write_text(config.read_text().replace('"1 s"', '"10 min"').replace(
        "[settings]\n", '[settings]\n"restart-strategy.type" = "none"\n'))
    deploy = ["deploy", "flink", project, "--config", config]
    lab.filled(name, deploy)
    # Whether it fails before or behind the look whether it runs is the machine's to say.
    done = lab.told(*deploy, "--gateway", lab.gateway)
    if done.returncode == 1 and "'x'" not in done.stderr:
        raise AssertionError(f"it is not said why the job failed: {done}")
    state = lambda: json.loads(lab.run("jobs", project, "-o", "json"))
    mine = lab.wait(lambda: (now := state())["state"] == "FAILED" and now, "the job has failed", 60)
    if "'x'" not in mine["exception"]:
        raise AssertionError(f"`rialto jobs` does not say why: {mine}")
    text = project.read_text()
    project.write_text(text.replace("SUM(CAST(", "SUM(TRY_CAST("))
    again = json.loads(lab.run(*deploy, "--gateway", lab.gateway, "-o", "json"))
    if not again["submitted"] or again["job"] == mine["job"]:
        raise AssertionError(f"it was not submitted again: {again}")
    lab.finished(again["job"])
    return 0, "the reason is told, and the mended text runs"


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Stands before the gateway, and closes the first session behind its second statement: what the
    gateway then says of it is the gateway's own word."""

    gateway, statements = "", 0

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "POST" and self.path.endswith("/statements"):
            Forgetful.statements += 1
            if Forgetful.statements == 3:
                session = self.path.removesuffix("/statements")
                urllib.request.urlopen(urllib.request.Request(
                    Forgetful.gateway + session, method="DELETE"), timeout=60).close()
        request = urllib.request.Request(Forgetful.gateway + self.path, data=body or None,
                                         headers={"Content-Type": "application/json"},
                                         method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = forward

    def log_message(self, *_):
        pass


def troubles(lab, projects):
    """A session that is lost, a cluster without the Kafka connector, a gateway that is gone."""
    project = projects.seed("daily-sales")
    deploy = ["deploy", "flink", project, "--config", lab.config("troubles", True)]

    def told(gateway):
        done = lab.told(*deploy, "--gateway", gateway)
        return done.returncode, done.stdout + done.stderr
    lab.forget("daily-sales")
    lab.filled("troubles", deploy)
    Forgetful.gateway, Forgetful.statements = lab.gateway, 0
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    code, text = told(f"http://127.0.0.1:{proxy.server_port}")
    proxy.shutdown()
    if code != 0 or Forgetful.statements < 4:
        raise AssertionError(f"with a session that was lost: {code} {text}")
    lab.forget("daily-sales")
    other = needed([HERE / "cluster.sh", "up", "--without-kafka", "--for", lab.me], "Flink cluster")
    code, text = told(other["FLINK_GATEWAY"])
    subprocess.run([HERE / "cluster.sh", "down", other["FLINK_DIR"]], check=True)
    if code != 1 or "identifier 'kafka'" not in text or "hint: put the jar" not in text:
        raise AssertionError(f"without the connector: {code} {text}")
    subprocess.run([HERE / "cluster.sh", "kill", lab.flink, "gateway"], check=True)
    code, text = told(lab.gateway)
    if code != 1 or "does not answer" not in text or "hint: is it running" not in text:
        raise AssertionError(f"without a gateway: {code} {text}")
    subprocess.run([HERE / "cluster.sh", "start", lab.flink, "gateway"], check=True)
    lab.wait(lambda: told(lab.gateway)[0] == 0, "the gateway is there again")
    return 0, "a lost session is opened again; no connector, no gateway: it says what to do"


STORIES = {"q12": clocked, "database": database, "client": client, "checked": checked,
           "killed": killed, "failing": failing, "troubles": troubles}
