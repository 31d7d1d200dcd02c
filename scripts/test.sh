#!/usr/bin/env bash
# All tests. The examples first, so that the output ends with the lines of `cargo test`; one that
# fails does not keep the others from running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:$HOME/.cargo/bin"
target="${CARGO_TARGET_DIR:-$HOME/.cache/rialto/target}"
export CARGO_TARGET_DIR="$target"
cargo="${CARGO:-cargo}"

failed=0
# The console is part of the command, so that it is built first.
console=yes
scripts/console.sh || console=no
"$cargo" build --workspace --bins --tests

if [ "$console" = yes ]; then
  # Its components, then every screen and story in Chromium against the command.
  tried=0
  RIALTO="$target/debug/rialto" scripts/console.sh test || tried=$?
  case "$tried" in
    0) ;;
    3) echo "test: SKIPPED: no screen was tried, a browser cannot be had (see above)" >&2 ;;
    *) failed=1 ;;
  esac
else
  echo "test: SKIPPED: the console cannot be built here (see above)" >&2
fi
RIALTO="$target/debug/rialto" python3 examples/test.py || failed=1
# Nexmark's answers against DuckDB's: half a minute. Then some over files of more than 32 MiB, which
# are read in parts by several readers: a quarter of a minute.
if referee="$(bench/nexmark/provision.sh)"; then
  "$referee" bench/nexmark/check.py "$target/debug/rialto" --events 20000 || failed=1
  "$referee" bench/nexmark/check.py "$target/debug/rialto" --events 400000 \
    --queries q4,q5,q7,q8,q11 || failed=1
else
  echo "test: SKIPPED: Nexmark is not compared with DuckDB, which cannot be had (see above)" >&2
fi
# Some projects on a real Flink cluster, of which a part is killed: two minutes, six on a busy
# machine. Says so and skips where there can be no cluster; all projects: make test-flink.
python3 tests/flink/cluster_test.py "$target/debug/rialto" --short || failed=1
"$cargo" test --workspace --no-fail-fast || failed=1
if [ "$failed" != 0 ]; then
  echo "test: failed; the first failure stands above" >&2
fi
exit "$failed"
