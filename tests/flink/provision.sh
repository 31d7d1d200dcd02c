#!/usr/bin/env bash
# Installs the referee: the jars of a real Apache Flink 2.3.0, taken from the Python package
# index (apache-flink-libraries, pinned by hash), and compiles the .slt runner against them.
#
#   tests/flink/provision.sh            install what is missing, compile the runner
#   tests/flink/provision.sh --print    the same, then print shell assignments to eval:
#                                       FLINK_HOME, FLINK_JAVA, FLINK_JAVAC, FLINK_CP, FLINK_OPENS
#
# Needs python3 with pip (or the venv module) and a JDK 17; JAVA_HOME is respected.
# Everything lands in ${XDG_CACHE_HOME:-$HOME/.cache}/rialto/flink; delete that to start over.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
version=2.3.0
root="${XDG_CACHE_HOME:-$HOME/.cache}/rialto/flink"
home="$root/$version"

fail() {
  echo "provision: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

# A JDK of exactly 17: Flink 2.3 is released for 11 and 17 (21 is experimental).
java_major() { "$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'; }

find_jdk() {
  local candidate
  for candidate in "${JAVA_HOME:-}" /usr/lib/jvm/*17* "$(dirname "$(dirname \
      "$(readlink -f "$(command -v javac || echo /nonexistent/bin/javac)")")")"; do
    [ -n "$candidate" ] && [ -x "$candidate/bin/javac" ] || continue
    [ "$(java_major "$candidate")" = 17 ] && { echo "$candidate"; return 0; }
  done
  return 1
}

jdk="$(find_jdk)" || fail "no JDK 17 found (looked at JAVA_HOME, /usr/lib/jvm, PATH)" \
  "on Debian: apt-get install openjdk-17-jdk-headless" "or set JAVA_HOME to a JDK 17"

fetch() {
  local work="$root/download" pip=(python3 -m pip)
  command -v python3 >/dev/null || fail "python3 is missing" "on Debian: apt-get install python3-venv"
  mkdir -p "$work"
  if ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$root/venv" 2>/dev/null || fail "python3 has neither pip nor venv" \
      "on Debian: apt-get install python3-pip python3-venv"
    pip=("$root/venv/bin/python" -m pip)
  fi
  echo "provision: downloading apache-flink-libraries $version (330 MB)" >&2
  "${pip[@]}" download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: -r "$here/requirements.txt" -d "$work" >&2 \
    || fail "pip could not download apache-flink-libraries==$version" \
      "check the network and the package index that pip is set up for"
  python3 "$here/unpack.py" "$work"/apache_flink_libraries-*.whl "$home.part"
  rm -rf "$home" "$work"
  mv "$home.part" "$home"
}

[ -f "$home/lib/flink-dist-$version.jar" ] || fetch

cp="$(printf '%s:' "$home"/lib/*.jar)"
classes="$root/runner"
stamp="$(cat "$here"/*.java | cksum | tr ' ' -)"
if [ "$(cat "$classes/stamp" 2>/dev/null || true)" != "$stamp" ]; then
  rm -rf "$classes"
  mkdir -p "$classes"
  "$jdk/bin/javac" -Xlint:all,-classfile,-processing,-path -cp "$cp" -d "$classes" "$here"/*.java >&2
  cp "$here/log4j2.properties" "$classes/"
  mkdir -p "$classes/META-INF/services"
  echo SharedCluster \
    > "$classes/META-INF/services/org.apache.flink.core.execution.PipelineExecutorFactory"
  echo "$stamp" > "$classes/stamp"
fi

if [ "${1:-}" = --print ]; then
  printf 'FLINK_HOME=%q\nFLINK_JAVA=%q\nFLINK_JAVAC=%q\nFLINK_CP=%q\nFLINK_OPENS=%q\n' \
    "$home" "$jdk/bin/java" "$jdk/bin/javac" "$classes:$cp" \
    "$(grep -v '^#' "$here/java17.opts" | tr '\n' ' ')"
else
  echo "provision: Flink $version is in $home, JDK 17 is $jdk" >&2
fi
