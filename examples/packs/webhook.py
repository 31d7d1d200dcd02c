#!/usr/bin/env python3
"""Messages that leave the house by webhook: what a receiver on this machine gets, also when the
first answer is an error and when the run is killed in between."""

import collections
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PACKS = HERE.parent.parent / "packs"
SECRET = "a secret of this test"
DEADLINE_SECONDS = 120


class Receiver(http.server.BaseHTTPRequestHandler):
    """Remembers all requests; the first one is answered by an error, so that it is made again."""

    requests = []
    new = threading.Condition()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.new:
            self.send_response(503 if not self.requests else 200)
            self.requests.append((self.headers["Idempotency-Key"], body,
                                  self.headers["X-Rialto-Signature"]))
            self.new.notify_all()
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def project(folder):
    tables = "".join(f"CREATE TABLE {name} WITH ('connector' = 'http') LIKE model.{name};\n"
                     for name in ("decision", "customer", "contact_event", "identity_event",
                                  "behavior_event", "sale_line"))
    (folder / "tables.sql").write_text(tables, encoding="utf-8")
    files = [f"{PACKS}/model/sql", "tables.sql", f"{PACKS}/delivery/outbox.sql",
             f"{PACKS}/delivery/sql", f"{PACKS}/delivery/to_webhook.sql"]
    (folder / "sql").mkdir()
    (folder / "sql/10_outbox.sql").write_text(
        "CREATE MATERIALIZED VIEW handed_over AS SELECT * FROM delivery_outbox;", encoding="utf-8")
    (folder / "rialto.toml").write_text(f"include = {json.dumps(files)}\n", encoding="utf-8")


class Run:
    """A run of the project, and what is sent to it."""

    def __init__(self, folder, url):
        self.address = f"http://127.0.0.1:{free_port()}"
        self.clock = 0
        self.process = subprocess.Popen(
            [command(), "run", str(folder), "--state", str(folder / "state"),
             "--serve", self.address.removeprefix("http://"), "-D", f"DELIVERY_URL={url}",
             "-D", f"DELIVERY_SECRET={SECRET}", "-D", "DELIVERY_ALLOW_PRIVATE_ADDRESSES=true"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.until(self.answers, "the run does not answer")

    def answers(self):
        try:
            return urllib.request.urlopen(f"{self.address}/v1/status", timeout=5).status == 200
        except urllib.error.URLError:
            return False

    def until(self, is_so, what):
        end = time.monotonic() + DEADLINE_SECONDS
        while not is_so():
            if self.process.poll() is not None:
                sys.exit(f"webhook: FAILED: the run ended: {self.process.stderr.read()}")
            if time.monotonic() > end:
                self.process.kill()
                sys.exit(f"webhook: FAILED: {what}")
            with Receiver.new:
                Receiver.new.wait(0.2)

    def send(self, table, rows):
        body = "\n".join(json.dumps(row) for row in rows).encode()
        urllib.request.urlopen(urllib.request.Request(
            f"{self.address}/v1/events/{table}", body,
            {"Content-Type": "application/x-ndjson"}), timeout=30)

    def time_passes(self):
        """Messages leave as the time of the events goes on."""
        self.clock += 1
        self.send("behavior_event", [{
            "event_id": f"{self.address}/{self.clock}", "action": "page_viewed",
            "event_time": f"2026-05-05 12:{self.clock % 60:02}:00Z"}])

    def until_received(self, wanted):
        def all_there():
            self.time_passes()
            with Receiver.new:
                return wanted <= {json.loads(body)["decision_id"] for _, body, _ in
                                  Receiver.requests[1:]}
        self.until(all_there, f"not all of {sorted(wanted)} have come")

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(DEADLINE_SECONDS)
        self.process.stderr.close()


def people(names, consent):
    return [{"customer_id": name, "updated_at": "2026-05-01 00:00:00Z",
             "marketing_consent": consent} for name in names]


def messages(names, variant="policy"):
    return [{"decision_id": f"contact/{name}", "decided_at": "2026-05-05 11:55:00Z",
             "decision_type": "contact", "customer_id": name, "policy": "test",
             "variant": variant, "status": "proposed" if variant == "policy" else "rejected"}
            for name in names]


def signed(body, signature):
    parts = dict(part.split("=", 1) for part in signature.split(","))
    text = parts["t"].encode() + b"." + body
    return hmac.compare_digest(parts["v1"],
                               hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest())


def check(wanted):
    seen = [(key, json.loads(body)["decision_id"]) for key, body, _ in Receiver.requests]
    keys, decisions = collections.defaultdict(set), collections.defaultdict(set)
    for key, decision in seen:
        keys[decision].add(key)
        decisions[key].add(decision)
    return {
        "all that is approved comes, and nothing else": set(keys) == wanted,
        "a message has one key": all(len(of) == 1 for of in keys.values()),
        "a key has one message": all(len(of) == 1 for of in decisions.values()),
        "what was refused comes again with its key": seen.count(seen[0]) >= 2,
        "every request is signed": all(signed(body, signature)
                                       for _, body, signature in Receiver.requests),
    }


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hooks/messages"
    willing, later = [f"c{n}" for n in range(8)], [f"d{n}" for n in range(4)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        project(folder)
        run = Run(folder, url)
        run.send("customer", people(willing + later + ["held"], True) + people(["no"], False))
        run.send("decision", messages(willing + ["no"]) + messages(["held"], "hold_out"))
        run.until_received({f"contact/{c}" for c in willing})
        run.end(signal.SIGKILL)
        run = Run(folder, url)
        run.send("decision", messages(later))
        run.until_received({f"contact/{c}" for c in willing + later})
        run.end(signal.SIGINT)
    server.shutdown()
    found = check({f"contact/{c}" for c in willing + later})
    wrong = [what for what, is_so in found.items() if not is_so]
    print(f"webhook: {'FAILED: ' + '; '.join(wrong) if wrong else 'ok'}: "
          f"{len(Receiver.requests)} requests")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
