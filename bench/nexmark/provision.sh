#!/usr/bin/env bash
# Installs the referee of bench/nexmark/check.py: a Python environment with DuckDB, pinned by
# version and hash (duckdb/requirements.txt). Prints the path of its python.
#
# Needs python3 with the venv module. Everything lands in
# ${XDG_CACHE_HOME:-$HOME/.cache}/rialto/duckdb; delete that to start over.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="${XDG_CACHE_HOME:-$HOME/.cache}/rialto/duckdb"
requirements="$here/duckdb/requirements.txt"

fail() {
  echo "provision: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

stamp="$(cksum < "$requirements" | tr ' ' -)"
if [ "$(cat "$root/stamp" 2>/dev/null || true)" != "$stamp" ]; then
  command -v python3 >/dev/null || fail "python3 is missing" "on Debian: apt-get install python3-venv"
  rm -rf "$root"
  mkdir -p "$root"
  python3 -m venv "$root/venv" >/dev/null 2>&1 ||
    fail "python3 cannot make an environment" "on Debian: apt-get install python3-venv"
  echo "provision: installing $(sed -n 's/^\(duckdb==[^ ]*\).*/\1/p' "$requirements") (20 MB)" >&2
  "$root/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --require-hashes --only-binary :all: -r "$requirements" >&2 ||
    fail "pip could not install DuckDB" \
      "check the network and the package index that pip is set up for," \
      "and that $requirements has a package for this machine"
  echo "$stamp" > "$root/stamp"
fi
echo "$root/venv/bin/python"
