#!/usr/bin/env bash
# A real Apache Kafka 4.1.0 for tests and benchmarks: one node (KRaft), on loopback, on ports that
# are free. Its jars come from Maven Central by `mvn`, pinned by tests/kafka/jars.sha256.
#
#   scripts/kafka.sh provision          fetch what is missing
#   scripts/kafka.sh up [--for PID] [NAME=VALUE...]
#                                       start a broker in a new temporary folder; prints shell
#                                       assignments to eval: KAFKA_DIR, KAFKA_BOOTSTRAP. With
#                                       --for it is gone soon after the process PID is; the
#                                       rest are settings of the broker
#   scripts/kafka.sh stop DIR           stop the broker of that folder, keep its data
#   scripts/kafka.sh start DIR          start it again, on the same ports
#   scripts/kafka.sh down DIR           stop it and remove the folder
#
# Exit code 3: there can be no broker on this machine (no JDK, no mvn, no network); the reason is
# on stderr. Needs a JDK 17 or later and mvn; JAVA_HOME is respected. Everything lasting lands in
# ${XDG_CACHE_HOME:-$HOME/.cache}/rialto/kafka; delete that to start over.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/kafka" && pwd)"
version=4.1.0
root="${XDG_CACHE_HOME:-$HOME/.cache}/rialto/kafka"
home="$root/$version"
start_seconds_max=60

fail() {
  echo "kafka: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

unavailable() {
  echo "kafka: SKIPPED: no Apache Kafka on this machine: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 3
}

java_major() { "$1" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'; }

find_java() {
  local candidate
  for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" \
      /usr/lib/jvm/*/bin/java; do
    [ -n "$candidate" ] && [ -x "$candidate" ] || continue
    [ "$(java_major "$candidate")" -ge 17 ] 2>/dev/null && { echo "$candidate"; return 0; }
  done
  return 1
}

java="$(find_java)" || unavailable "no Java 17 or later (looked at JAVA_HOME, PATH, /usr/lib/jvm)" \
  "on Debian: apt-get install openjdk-17-jdk-headless maven"

# --- the jars ---------------------------------------------------------------------------------
checked() { (cd "$1" && sha256sum --check --strict --quiet "$here/jars.sha256") >&2; }

fetch() {
  command -v mvn >/dev/null ||
    unavailable "no mvn, which fetches the jars" "on Debian: apt-get install maven"
  local part="$home.part.$$"
  mkdir -p "$part"
  echo "kafka: downloading Apache Kafka $version (45 MB)" >&2
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$part/lib" >"$part/mvn.log" 2>&1 || {
    tail -n 5 "$part/mvn.log" >&2
    rm -rf "$part"
    unavailable "mvn could not fetch the jars" "check the network and the repository of mvn"
  }
  rm -f "$part/mvn.log"
  checked "$part/lib" ||
    fail "a jar is not the one that tests/kafka/jars.sha256 pins (see $part/lib)"
  format "$part"
  rm -rf "$home"
  mv "$part" "$home"
}

# An empty data folder, made once: formatting takes a Java of its own.
format() {
  mkdir -p "$1/empty"
  {
    echo "process.roles=broker,controller"
    echo "node.id=1"
    echo "controller.quorum.voters=1@127.0.0.1:9093"
    echo "controller.listener.names=CONTROLLER"
    echo "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    echo "log.dirs=$1/empty"
  } >"$1/format.properties"
  "$java" -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$1/lib/*" \
    kafka.tools.StorageTool format --cluster-id rialto-kafka-tests-000 \
    --config "$1/format.properties" >"$1/format.log" 2>&1 || {
    cat "$1/format.log" >&2
    fail "the data folder could not be formatted"
  }
  rm -f "$1/format.properties" "$1/format.log"
}

provision() {
  [ -d "$home/empty" ] || fetch
}

# --- the broker -------------------------------------------------------------------------------
free_ports() {
  python3 - <<'PY'
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PY
}

configure() {
  local dir="$1" broker="$2" controller="$3"
  cat >"$dir/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$broker
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=300
transaction.max.timeout.ms=900000
group.initial.rebalance.delay.ms=0
log.cleaner.enable=false
log.retention.check.interval.ms=500
num.io.threads=4
num.network.threads=2
EOF
  echo "127.0.0.1:$broker" >"$dir/bootstrap"
}

alive() { [ -s "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2>/dev/null; }

start() {
  local dir="$1" port deadline=$((SECONDS + start_seconds_max))
  [ -f "$dir/bootstrap" ] || fail "$dir is no folder of a broker"
  port="$(sed 's/.*://' "$dir/bootstrap")"
  setsid nohup "$java" -Xms128m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
    -cp "$home/lib/*" kafka.Kafka "$dir/server.properties" \
    >>"$dir/broker.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    alive "$dir" || { tail -n 20 "$dir/broker.log" >&2; fail "the broker ended"; }
    [ $SECONDS -lt $deadline ] || fail "no broker after $start_seconds_max s (see $dir/broker.log)"
    sleep 0.1
  done
}

stop() {
  local dir="$1" pid tries
  alive "$dir" || return 0
  pid="$(cat "$dir/pid")"
  kill "$pid" 2>/dev/null || true
  for tries in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || break
    # It flushes and leaves in a second or two; after five there is nothing worth waiting for.
    [ "$tries" = 50 ] && kill -9 "$pid" 2>/dev/null
    sleep 0.1
  done
  rm -f "$dir/pid"
}

down() {
  stop "$1"
  [ -f "$1/bootstrap" ] && rm -rf "$1"
}

# Ends a broker when the process that it was started for is gone.
guard() {
  setsid nohup bash -c '
    while kill -0 "$1" 2>/dev/null; do sleep 1; done
    exec "$2" down "$3"
  ' guard "$1" "$(cd "$here/../../scripts" && pwd)/kafka.sh" "$2" >/dev/null 2>&1 </dev/null &
}

up() {
  local for_pid="" dir ports
  if [ "${1:-}" = --for ]; then
    for_pid="$2"
    shift 2
  fi
  provision
  dir="$(mktemp -d "${TMPDIR:-/tmp}/rialto-kafka.XXXXXX")"
  ports="$(free_ports)"
  cp -r "$home/empty" "$dir/data"
  # shellcheck disable=SC2086  # two ports
  configure "$dir" $ports
  [ $# = 0 ] || printf '%s\n' "$@" >>"$dir/server.properties"
  start "$dir"
  [ -z "$for_pid" ] || guard "$for_pid" "$dir"
  printf 'KAFKA_DIR=%q\nKAFKA_BOOTSTRAP=%q\n' "$dir" "$(cat "$dir/bootstrap")"
}

case "${1:-}" in
  provision) provision ;;
  up) shift && up "$@" ;;
  start | stop | down) [ -n "${2:-}" ] || fail "usage: kafka.sh $1 DIR"; "$1" "$2" ;;
  *) fail "usage: kafka.sh provision | up [--for PID] [NAME=VALUE...] | stop DIR | start DIR | down DIR" ;;
esac
