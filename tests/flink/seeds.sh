#!/usr/bin/env bash
# Records the expected results of examples/seeds from a real Flink 2.3.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."
settings="$("$here/provision.sh" --print)"
eval "$settings"

pairs=()
for folder in examples/seeds/*/; do
  name="$(basename "$folder")"
  mkdir -p "$folder/expected"
  pairs+=("$folder$name.sql" "${folder}expected/$name.ndjson")
done
# shellcheck disable=SC2086  # FLINK_OPENS is a list of options
exec nice -n 5 "$FLINK_JAVA" -Xmx2g -XX:+UseSerialGC $FLINK_OPENS -cp "$FLINK_CP" \
  SqlJson "${pairs[@]}"
