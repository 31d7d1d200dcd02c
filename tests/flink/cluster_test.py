#!/usr/bin/env python3
"""Deploys projects to a real Flink cluster over a real Kafka, and compares with local Rialto.

    cluster_test.py RIALTO [--short] [--only NAME,...] [--without NAME,...] [--events N]

For each project: `rialto deploy flink` renders it; the local Rialto fills the topics; Flink runs the
job to the end of what is in them; the local Rialto reads the views back from their topics. Its rows
are held against those of `rialto run`, row for row, as multisets. Then the stories of
cluster_stories.py: windows of the clock, tables of a database, Flink's own client, fixtures on both
sides, TaskManagers that are killed, an upgrade, a job that fails, a gateway that is gone.

`--short` takes a few projects and the kill. Prints the table of docs/scale-out.md. Exit code 0: all
is equal; 1: something is not, and the standard error says what. Where there can be no Kafka or no
Flink it says so, and is no failure.
"""

import argparse
import pathlib
import sys
import tempfile
import time

from cluster_lab import Lab
from cluster_projects import Projects
from cluster_stories import STORIES

SHORT = ["demo", "low-stock", "q4", "q8", "q20", "killed"]


def compared(lab, projects, is_meant):
    """Runs the projects, and prints a line of each; how many, their rows, and which are wrong."""
    print("| project | rows | equal | Rialto s | Flink s |")
    print("| --- | ---: | --- | ---: | ---: |", flush=True)
    count, total, failed = 0, 0, []
    for name, make in projects.cases().items():
        if not is_meant(name):
            continue
        try:
            wrong, rows, ours, theirs = lab.compare(name, *make())
            equal = "no" if wrong else "yes"
            print(f"| {name} | {rows:,} | {equal} | {ours:.2f} | {theirs:.2f} |", flush=True)
            total += rows
        except AssertionError as error:
            wrong = [str(error)]
            print(f"| {name} | | failed | | |", flush=True)
        for line in wrong:
            print(f"{name}: {line}", file=sys.stderr, flush=True)
        count += 1
        failed += [name] if wrong else []
    return count, total, failed


def told(lab, projects, is_meant):
    """Runs the stories, and prints a line of each; how many, and which are wrong."""
    print("\n| story | rows | as it should be | what was seen | s |")
    print("| --- | ---: | --- | --- | ---: |", flush=True)
    count, failed = 0, []
    for name, story in STORIES.items():
        if not is_meant(name):
            continue
        began, count = time.monotonic(), count + 1
        try:
            rows, seen = story(lab, projects)
            equal, shown = "yes", f"{rows:,}" if rows else ""
        except AssertionError as error:
            equal, shown, seen = "no", "", "see the errors"
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        seconds = time.monotonic() - began
        print(f"| {name} | {shown} | {equal} | {seen} | {seconds:.0f} |", flush=True)
    return count, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rialto", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--without", default="")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--events", type=int, default=20000)
    arguments = parser.parse_args()
    named = lambda text: [name for name in text.split(",") if name]
    only, without = named(arguments.only), named(arguments.without)
    only += SHORT if arguments.short else []
    is_meant = lambda name: (not only or name in only) and name not in without
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rialto-cluster-") as folder:
        lab = Lab(arguments.rialto.resolve(), pathlib.Path(folder))
        projects = Projects(lab, arguments.events)
        known = [*STORIES, *projects.cases()]
        unknown = [name for name in only + without if name not in known]
        if unknown:
            sys.exit(f"cluster_test: there is no {', '.join(unknown)}")
        count, rows, failed = compared(lab, projects, is_meant)
        stories, wrong = told(lab, projects, is_meant)
        lab.stop()
    failed += wrong
    bad = len(failed)
    print(f"\n{count} projects with {rows:,} rows and {stories} stories, "
          f"{f'{bad} not as they should be' if bad else 'all as they should be'}; "
          f"{time.monotonic() - began:.0f} s", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
