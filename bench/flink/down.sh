#!/usr/bin/env bash
# Stops the benchmark cluster that up.sh started (by its process ids, nothing else).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

for role in taskmanager jobmanager; do
  file="$bench_dir/$role.pid"
  [ -f "$file" ] || continue
  pid="$(cat "$file")"
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 40); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.25
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$file"
done
