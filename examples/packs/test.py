#!/usr/bin/env python3
"""Three days of the packs on the simulated shop, which hears what they decide: what must be so
whatever the seed is. Then messages that leave the house (webhook.py), and the rows of three packs
beside those of a second count (recount.py)."""

import collections
import decimal
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE_SECONDS = 400
OPTIONS = {"SHOP_DAYS": 3, "SHOP_SPEED": 4320, "SHOP_CUSTOMERS": 500, "DELIVERY_EXPIRE_HOURS": 24}


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def copy(folder):
    """The project in a folder of its own, so that its logs begin empty."""
    toml = (HERE / "rialto.toml").read_text(encoding="utf-8")
    toml = toml.replace('"../../packs', f'"{HERE.parent.parent}/packs')
    (folder / "rialto.toml").write_text(toml, encoding="utf-8")
    (folder / "sql").mkdir()
    for file in ["decisions.sql", *(f"sql/{path.name}" for path in (HERE / "sql").glob("*.sql"))]:
        (folder / file).write_text((HERE / file).read_text(encoding="utf-8"), encoding="utf-8")


def has_traded(address):
    """Whether all that the shop had to tell has been read, and something has come back to it."""
    try:
        with urllib.request.urlopen(f"http://{address}/v1/status", timeout=30) as answer:
            sources = {source["name"]: source for source in json.load(answer)["sources"]}
    except urllib.error.URLError:
        return False
    ours = {"decision", "decision_word", "decision_review", "pricing_rule_change",
            "delivery_word", "delivery_outbox", "delivery_unsent"}
    return all(source["ended"] for name, source in sources.items() if name not in ours)


def views(folder):
    """The rows of all views at one step, when the shop has traded."""
    address = f"127.0.0.1:{free_port()}"
    arguments = [command(), "run", str(folder), "--state", str(folder / "state"), "--serve",
                 address, "-o", "json", "--rows", "1000000"]
    for name, value in OPTIONS.items():
        arguments += ["-D", f"{name}={value}"]
    with open(folder / "rows", "w+", encoding="utf-8") as rows, \
            open(folder / "errors", "w+", encoding="utf-8") as errors:
        run = subprocess.Popen(arguments, stdout=rows, stderr=errors)
        end = time.monotonic() + DEADLINE_SECONDS
        while run.poll() is None and not has_traded(address):
            if time.monotonic() > end:
                run.kill()
                sys.exit(f"packs: FAILED: the shop has not traded in {DEADLINE_SECONDS} s")
            time.sleep(0.2)
        run.send_signal(signal.SIGINT)
        code = run.wait(DEADLINE_SECONDS)
        rows.seek(0)
        errors.seek(0)
        if code != 0:
            sys.exit(f"packs: FAILED: {' '.join(arguments)} ended with {code}\n{errors.read()}")
        found = collections.defaultdict(list)
        for line in rows:
            row = json.loads(line, parse_float=decimal.Decimal)
            found[row["table"]].append(row["row"])
        return found


def of_the_day(found):
    def total(view, column):
        return sum(row[column] for row in found[view])

    sold = total("sales_by_store_day", "net_sales")
    decisions = (found["replenishment_decision"] + found["pricing_decision"]
                 + found["behavior_decision"])
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
        "every decision says why": decisions and all(
            json.loads(row["reasons"]) and json.loads(row["inputs"]) for row in decisions),
        "every decision is made once": len(decisions)
            == len({row["decision_id"] for row in decisions}),
        "they are counted": sum(row["decisions"] for row in found["decisions_today"])
            == len(decisions),
    }


def of_the_loop(found):
    state = {row["decision_id"]: row for row in found["decision_state"]}
    applied = {of for of, row in state.items() if row["status"] == "applied"}
    reactions = found["shop_reaction"]
    contacts = found["delivery_contact"]
    held = {row["customer_id"] for row in state.values()
            if row["decision_type"] == "contact" and row["variant"] == "hold_out"}
    written = {row["subject"] for row in reactions if row["reaction"] == "message"}
    handed = [row for row in contacts if row["status"] == "handed_over"]
    return {
        "a decision is kept once": len(state) == len(found["decision_state"]),
        "each kind of decision is carried out": {"price", "replenish", "allocate", "contact"}
            <= {state[of]["decision_type"] for of in applied},
        "the hold-out is left alone": not any(
            row["variant"] == "hold_out" for of, row in state.items() if of in applied),
        "the shop sets prices, gets goods and sends messages":
            {row["reaction"] for row in reactions} == {"price", "goods", "message"},
        "the shop does only what was applied": all(
            row["decision_id"] in applied for row in reactions),
        "a price is the one that was decided": all(
            row["figure"] == state[row["decision_id"]]["amount"]
            for row in reactions if row["reaction"] == "price"),
        "somebody is held out": held,
        "nobody in the hold-out is written to": not held & written,
        "messages are those of the outbox": handed and written
            <= {row["customer_id"] for row in handed},
        "what stays in says why": all(
            bool(row["suppressed_because"]) == (row["status"] in ("suppressed", "waiting"))
            for row in contacts),
    }


def of_the_judgement(found):
    state = {row["decision_id"]: row for row in found["decision_state"]}
    outcomes, report = found["decision_outcome"], found["ab_report"]
    sums = collections.defaultdict(lambda: [0, decimal.Decimal(0), set()])
    for row in outcomes:
        arm = sums[row["experiment"], row["variant"], row["kind"], row["currency"] or ""]
        arm[0] += 1
        arm[1] += row["value"]
        arm[2].add(row["subject_id"])
    subjects = collections.defaultdict(set)
    for row in state.values():
        subjects[row["experiment"], row["variant"]].add(row["subject_id"])

    def adds_up(row):
        count, total, who = sums.get((row["experiment"], row["variant"], row["kind"],
                                      row["currency"]), (0, decimal.Decimal(0), set()))
        of = len(subjects[row["experiment"], row["variant"]])
        return (row["outcomes"], row["total"], row["subjects_with"], row["subjects"]) == (
            count, total, len(who), of) and abs(row["mean"] - total / of) < decimal.Decimal("1e-4")

    return {
        "something comes of decisions": outcomes,
        "an outcome is of a decision that was made before": all(
            row["decision_id"] in state
            and row["event_time"] > state[row["decision_id"]]["decided_at"] for row in outcomes),
        "a decision has an event once": len(outcomes)
            == len({(row["decision_id"], row["event_id"]) for row in outcomes}),
        "an experiment has an event once": len(outcomes)
            == len({(row["experiment"], row["event_id"]) for row in outcomes}),
        "the report adds up to the rows": report and all(adds_up(row) for row in report),
        "no row is left out of the report": sum(row["outcomes"] for row in report)
            == len(outcomes),
        "the draw is fair": all(
            row["verdict"] != "mismatch" for row in found["ab_ratio_check"]),
    }


def main():
    with tempfile.TemporaryDirectory() as folder:
        copy(pathlib.Path(folder))
        found = views(pathlib.Path(folder))
    checks = of_the_day(found) | of_the_loop(found) | of_the_judgement(found)
    wrong = [what for what, is_so in checks.items() if not is_so]
    rows = sum(len(rows) for rows in found.values())
    print(f"packs: {'FAILED: ' + '; '.join(wrong) if wrong else 'ok'}: "
          f"{rows} rows of {len(found)} views")
    others = [subprocess.run([sys.executable, str(HERE / script)], check=False).returncode
              for script in ("webhook.py", "recount.py")]
    return 1 if wrong or any(others) else 0


if __name__ == "__main__":
    sys.exit(main())
