#!/usr/bin/env python3
"""The tests of all examples: those that have a test.py, the fixtures of the packs, and the seeds
against their expected results. RIALTO names the command. One line an example; fails if one fails."""

import collections
import decimal
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def command():
    target = os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/rialto/target")
    return os.environ.get("RIALTO", str(pathlib.Path(target) / "debug" / "rialto"))


MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.0+)?")


def plain(value):
    """One text for one moment: JSON leaves out a fraction of zeros, the recorded results do not."""
    moment = MOMENT.fullmatch(value) if isinstance(value, str) else None
    return f"{moment[1]} {moment[2]}" if moment else value


def rows(text):
    """Rows as they can be counted; numbers keep their digits."""
    return collections.Counter(
        json.dumps({name: plain(value) for name, value in row.items()}, default=str, sort_keys=True)
        for row in (json.loads(line, parse_float=decimal.Decimal)
                    for line in text.splitlines() if line.strip()))


def seed(folder):
    """Whether a seed's query gives the rows that a real Flink gave."""
    query = folder / f"{folder.name}.sql"
    arguments = [command(), "sql", "-f", str(query.relative_to(ROOT)), "-o", "json"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        print(f"seeds/{folder.name}: FAILED: {' '.join(arguments)} ended with {done.returncode}")
        print(*done.stderr.splitlines()[:12], sep="\n")
        return False
    expected = rows((folder / "expected" / f"{folder.name}.ndjson").read_text(encoding="utf-8"))
    found = rows(done.stdout)
    well = bool(expected) and found == expected
    print(f"seeds/{folder.name}: {'ok' if well else 'FAILED'}: {found.total()} rows")
    for what, more in (("missing", expected - found), ("too many", found - expected)):
        for row in sorted(more)[:3]:
            print(f"  {what}: {row}")
    return well


def fixtures(pack):
    """Whether a pack's fixtures hold."""
    arguments = [command(), "test", str(pack.relative_to(ROOT))]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    lines = done.stdout.splitlines()
    well = done.returncode == 0
    print(f"packs/{pack.name}: {'ok' if well else 'FAILED'}: {lines[-1] if lines else ''}")
    if not well:
        failed = [line for line in lines if not line.startswith("ok ")]
        print(*failed[:20], *done.stderr.splitlines()[:12], sep="\n")
    return well


def main():
    seeds = sorted(path.parent for path in HERE.glob("seeds/*/*.sql"))
    if not seeds:
        sys.exit(f"examples: no seed found below {HERE}")
    well = all([seed(folder) for folder in seeds])
    for pack in sorted(path.parent for path in (ROOT / "packs").glob("*/tests")):
        well &= fixtures(pack)
    for script in sorted(HERE.glob("*/test.py")):
        sys.stdout.flush()
        well &= subprocess.run([sys.executable, str(script)], check=False).returncode == 0
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
