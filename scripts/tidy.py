#!/usr/bin/env python3
"""The rules that rustfmt and clippy do not know. `make tidy` runs it; CONTRIBUTING.md says why.

Fails on: a Rust line of more than 100 columns; a Rust file of more than 1,200 lines (tests
apart); `dbg!` or `todo!`; a TODO, FIXME, XXX or HACK that gives no reason (`TODO(reason): ...`);
a Rust file without module documentation; a Rust file that no module names.
Holds the invariants of ARCHITECTURE.md that can be seen from outside: who may depend on whom, and
that the engine reads no clock, file or environment.
Of the console's sources it asks the same: lines of 100 columns (texts of the languages apart), files
of 300 lines, a first line that says what lives there, and no markup made from data.
Reports, without failing: functions of more than 70 lines.
"""

import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS_MAX = 100
FILE_LINES_MAX = 1200
FUNCTION_LINES_MAX = 70

CONSOLE_LINES_MAX = 300
CONSOLE_ENDINGS = {".ts", ".tsx", ".mjs", ".css"}
# Data is text: what makes markup or code of a string has no place in the console.
CONSOLE_FORBIDDEN = re.compile(r"dangerouslySetInnerHTML|\.innerHTML\b|\beval\(|debugger;")

# Whom each crate may use, of ours; and which crates of others are for tests alone.
MAY_USE = {
    "engine": set(),
    "functions": set(),
    "sql": {"engine", "functions"},
    "storage": set(),
    "memory": set(),
    "shop": set(),
    "connectors": {"engine", "shop", "storage"},
    "runtime": {"engine", "sql", "connectors", "storage", "memory"},
    "server": {"connectors", "runtime"},
    "flink": {"runtime"},
    "cli": {"flink", "runtime", "server", "memory"},
}
TESTS_ONLY = {"datafusion"}
# Readers of the PostgreSQL protocol ask in its dialect, of rows that are there.
SERVES = {"server"}
OUTSIDE_WORLD = re.compile(r"\bstd::(fs|env|net)\b|\b(SystemTime|Instant)::now\b")

FORBIDDEN = re.compile(r"\b(dbg|todo)!\s*[(\[{]")
UNREASONED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\([^)]+\):)")
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([^)]*\))?\s+)?(?:const\s+|async\s+|unsafe\s+)*fn\s+(\w+)")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def is_test(path):
    """Tests may be long: a table of cases is read, not maintained."""
    return "tests" in path.parts or path.stem.startswith(("tests", "testing"))


def functions(lines):
    """(name, first line, length) of every function. rustfmt closes one in the column it began."""
    for start, line in enumerate(lines):
        match = FUNCTION.match(line)
        if match is None:
            continue
        end = match.group(1) + "}"
        for stop in range(start, len(lines)):
            if lines[stop].rstrip() == end:
                yield match.group(2), start + 1, stop - start + 1
                break
            if stop == start and lines[stop].rstrip().endswith((";", "}")):
                break


def is_reachable(path):
    """Whether a `mod` names the file; crate roots, examples and test targets need none."""
    if path.name in ("lib.rs", "main.rs", "build.rs"):
        return True
    if path.parent.name in ("tests", "examples", "benches", "bin"):
        if (path.parent.parent / "Cargo.toml").exists() or path.parent.parent.name == "src":
            return True
    folder = path.parent
    name = path.stem
    if name == "mod":
        name, folder = folder.name, folder.parent
    parents = [folder / "mod.rs", folder / "lib.rs", folder / "main.rs"]
    parents.append(folder.parent / f"{folder.name}.rs")
    declaration = re.compile(rf"\bmod\s+{re.escape(name)}\s*;")
    for parent in parents:
        if parent.exists() and declaration.search(parent.read_text(encoding="utf-8")):
            return True
    return False


def check(path, problems, long_functions):
    shown = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    test = is_test(shown)

    def problem(number, what):
        problems.append(f"{shown}:{number}: {what}")

    if len(lines) > FILE_LINES_MAX and not test:
        problem(len(lines), f"{len(lines)} lines; a file has at most {FILE_LINES_MAX}. Split it")
    first = next((line for line in lines if line.strip()), "")
    if not first.startswith(("//!", "#!")) and not test:
        problem(1, "no module documentation: begin with `//!` and say what lives here")
    if not is_reachable(path):
        problem(1, "no `mod` names this file: nobody compiles it")
    for number, line in enumerate(lines, 1):
        # rustfmt leaves long string literals alone; in a table of test cases they may be long.
        if len(line) > COLUMNS_MAX and not (test and '"' in line):
            problem(number, f"{len(line)} columns; a line has at most {COLUMNS_MAX}")
        code = STRING.sub('""', line)
        if shown.parts[1] == "engine" and shown.parts[2] == "src" and not test:
            if OUTSIDE_WORLD.search(code.split("//")[0]):
                problem(number, "the engine reads no clock, file or environment")
        if FORBIDDEN.search(code.split("//")[0]):
            problem(number, "left over from debugging: dbg! or todo!")
        if UNREASONED.search(code):
            problem(number, "a note without a reason; write TODO(reason): what")
    if not test:
        for name, number, length in functions(lines):
            if length > FUNCTION_LINES_MAX:
                long_functions.append((length, f"{shown}:{number}: {name}: {length} lines"))


def check_console(problems):
    """The sources of the console, except what is generated."""
    files = []
    for folder in ("src", "tests", "scripts"):
        files += sorted((ROOT / "console" / folder).glob("**/*"))
    files = [path for path in files if path.suffix in CONSOLE_ENDINGS]
    for path in files:
        shown = path.relative_to(ROOT)
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines and "do not edit" in lines[0]:
            continue
        if not lines or not lines[0].startswith(("//", "/*")):
            problems.append(f"{shown}:1: say in the first line what lives here")
        if len(lines) > CONSOLE_LINES_MAX:
            problems.append(f"{shown}: {len(lines)} lines; a file of the console has at most "
                            f"{CONSOLE_LINES_MAX}. Split it")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and "i18n" not in shown.parts and "'" not in line:
                problems.append(f"{shown}:{number}: {len(line)} columns; a line has at most "
                                f"{COLUMNS_MAX}")
            if CONSOLE_FORBIDDEN.search(line):
                problems.append(f"{shown}:{number}: markup or code made of a string")
            if UNREASONED.search(STRING.sub('""', line)):
                problems.append(f"{shown}:{number}: a note without a reason")
    return len(files)


def check_layers(problems):
    """Dependencies run downward only."""
    for manifest in sorted(ROOT.glob("crates/*/Cargo.toml")):
        crate = manifest.parent.name
        shown = manifest.relative_to(ROOT)
        if crate not in MAY_USE:
            problems.append(f"{shown}: an unknown crate: say in scripts/tidy.py what it may use")
            continue
        for used in tomllib.loads(manifest.read_text(encoding="utf-8")).get("dependencies", {}):
            if used in TESTS_ONLY and crate not in SERVES:
                problems.append(f"{shown}: {used} is for tests alone (see ARCHITECTURE.md)")
            ours = used.removeprefix("rialto-")
            if ours != used and ours not in MAY_USE[crate]:
                problems.append(f"{shown}: {crate} must not use {ours} (see ARCHITECTURE.md)")


def main():
    problems, long_functions = [], []
    check_layers(problems)
    files = sorted(ROOT.glob("crates/**/*.rs"))
    if not files:
        sys.exit("tidy: no Rust file found: wrong folder?")
    for path in files:
        check(path, problems, long_functions)
    console_files = check_console(problems)
    if long_functions:
        print(f"tidy: functions of more than {FUNCTION_LINES_MAX} lines (a hint, no error):")
        for _, line in sorted(long_functions, reverse=True):
            print(f"  {line}")
    for line in problems:
        print(line, file=sys.stderr)
    if problems:
        sys.exit(f"tidy: {len(problems)} problems in {len(files) + console_files} files")
    print(f"tidy: {len(files) + console_files} files are tidy")


if __name__ == "__main__":
    main()
