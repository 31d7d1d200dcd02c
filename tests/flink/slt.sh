#!/usr/bin/env bash
# Runs .slt files against a real Flink 2.3 (installed by provision.sh at need).
#
#   tests/flink/slt.sh                          check the whole corpus
#   tests/flink/slt.sh tests/slt/joins          check a folder or a file
#   tests/flink/slt.sh --complete FILE...       write Flink's answers into the files
#   tests/flink/slt.sh --batch                  compare with Flink's batch mode instead
#   tests/flink/slt.sh --complete --mark-errors FILE...   and mark what Flink refuses
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
settings="$("$here/provision.sh" --print)"
eval "$settings"

paths=0
for argument in "$@"; do [ -e "$argument" ] && paths=1; done
[ "$paths" = 1 ] || set -- "$@" "$root/tests/slt"

# shellcheck disable=SC2086  # FLINK_OPENS is a list of options
exec nice -n 5 "$FLINK_JAVA" -Xmx2g -XX:+UseSerialGC $FLINK_OPENS -cp "$FLINK_CP" \
  SltRun --data "$root/tests/data" "$@"
