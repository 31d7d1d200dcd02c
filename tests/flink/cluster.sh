#!/usr/bin/env bash
# A real Flink 2.3 session cluster on loopback for tests: one JobManager, two TaskManagers of two
# slots each, a SQL Gateway, and the connectors of Kafka and PostgreSQL. Flink itself comes from
# provision.sh; the further jars from Maven Central by `mvn`, pinned by cluster.sha256.
#
#   tests/flink/cluster.sh provision           fetch what is missing
#   tests/flink/cluster.sh up [--for PID] [--without-kafka]
#                                              start it in a new temporary folder, on free ports;
#                                              prints assignments to eval: FLINK_DIR, FLINK_REST,
#                                              FLINK_GATEWAY. With --for it is gone soon after PID
#   tests/flink/cluster.sh kill DIR ROLE       kill -9 of taskmanager-1, taskmanager-2, gateway, ...
#   tests/flink/cluster.sh start DIR ROLE      start it again
#   tests/flink/cluster.sh sql DIR FILE        run a script in Flink's own sql-client
#   tests/flink/cluster.sh down DIR            stop everything and remove the folder
#
# Exit code 3: there can be no cluster on this machine (no JDK 17, no mvn, no network); the reason
# is on stderr. About 3 GB of memory; every process is stopped by the id that was noted for it.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
version=2.3.0
root="${XDG_CACHE_HOME:-$HOME/.cache}/rialto/flink"
jars="$root/cluster-$version"
start_seconds_max=240
roles="jobmanager taskmanager-1 taskmanager-2 gateway"

fail() {
  echo "cluster: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

unavailable() {
  echo "cluster: SKIPPED: no Flink cluster on this machine: $1" >&2
  exit 3
}

checked() { (cd "$1" && sha256sum --check --strict --quiet "$here/cluster.sha256") >&2; }

fetch() {
  command -v mvn >/dev/null || unavailable "no mvn, which fetches some of the jars"
  local part="$jars.part.$$"
  mkdir -p "$part"
  echo "cluster: downloading the SQL Gateway and client and the connectors (57 MB)" >&2
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$part" >"$part/mvn.log" 2>&1 || {
    tail -n 5 "$part/mvn.log" >&2
    rm -rf "$part"
    unavailable "mvn could not fetch the jars"
  }
  rm -f "$part/mvn.log"
  checked "$part" || fail "a jar is not the one that tests/flink/cluster.sha256 pins (see $part)"
  rm -rf "$jars"
  mv "$part" "$jars"
}

provision() {
  settings="$("$here/provision.sh" --print)" || unavailable "Flink $version could not be provided"
  eval "$settings"
  # A folder of an earlier list of jars is fetched anew.
  (checked "$jars") 2>/dev/null || fetch
}

free_ports() {
  python3 - <<'PY'
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PY
}

configure() {
  local dir="$1" rest="$2" rpc="$3" gateway="$4"
  mkdir -p "$dir/conf" "$dir/log" "$dir/tmp" "$dir/checkpoints" "$dir/savepoints"
  cat >"$dir/conf/config.yaml" <<EOF
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: $rpc
jobmanager.bind-host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
taskmanager.memory.process.size: 1200m
taskmanager.memory.managed.size: 64m
taskmanager.memory.network.max: 96m
taskmanager.memory.jvm-metaspace.size: 256m
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: $rest
sql-gateway.endpoint.rest.address: 127.0.0.1
sql-gateway.endpoint.rest.bind-address: 127.0.0.1
sql-gateway.endpoint.rest.port: $gateway
execution.target: remote
parallelism.default: 2
io.tmp.dirs: $dir/tmp
execution.checkpointing.dir: file://$dir/checkpoints
execution.checkpointing.savepoint-dir: file://$dir/savepoints
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 20
restart-strategy.fixed-delay.delay: 1 s
heartbeat.interval: 1000
heartbeat.timeout: 30000
pekko.ask.timeout: 60 s
web.submit.enable: false
EOF
  cat >"$dir/conf/log4j.properties" <<EOF
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %c - %m%n
EOF
  {
    printf 'FLINK_DIR=%q\n' "$dir"
    printf 'FLINK_REST=http://127.0.0.1:%s\n' "$rest"
    printf 'FLINK_GATEWAY=http://127.0.0.1:%s\n' "$gateway"
  } >"$dir/settings"
}

alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# The classpath of a cluster's folder: Flink's jars and the connectors, that of Kafka unless it was
# left out.
classpath() {
  local path="$FLINK_HOME/lib/*" jar
  [ -f "$1/without-kafka" ] || path="$path:$(echo "$jars"/flink-sql-connector-kafka-*.jar)"
  for jar in "$jars"/flink-connector-jdbc-*.jar "$jars"/postgresql-*.jar; do path="$path:$jar"; done
  echo "$path"
}

# Starts one role; the gateway has a jar of its own.
start() {
  local dir="$1" role="$2" classpath options=() main arguments=()
  alive "$dir/$role.pid" && fail "$role runs already"
  classpath="$(classpath "$dir")"
  case "$role" in
    jobmanager)
      options=(-Xmx640m)
      main=org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint
      arguments=(--configDir "$dir/conf")
      ;;
    taskmanager-*)
      # shellcheck disable=SC2207  # both are lists of options
      options=($(cat "$dir/jvm_options"))
      main=org.apache.flink.runtime.taskexecutor.TaskManagerRunner
      # shellcheck disable=SC2207
      arguments=(--configDir "$dir/conf" $(cat "$dir/tm_options"))
      ;;
    gateway)
      options=(-Xmx640m)
      main=org.apache.flink.table.gateway.SqlGateway
      classpath="$classpath:$jars/flink-sql-gateway-$version.jar"
      ;;
    *) fail "no such role: $role (one of $roles)" ;;
  esac
  # shellcheck disable=SC2086  # FLINK_OPENS is a list of options
  FLINK_CONF_DIR="$dir/conf" setsid nohup nice -n 5 "$FLINK_JAVA" -XX:+UseSerialGC \
    -XX:TieredStopAtLevel=1 "${options[@]}" $FLINK_OPENS \
    "-Dlog4j.configurationFile=file:$dir/conf/log4j.properties" -cp "$classpath" \
    "$main" "${arguments[@]}" >>"$dir/log/$role.log" 2>&1 </dev/null &
  echo $! >"$dir/$role.pid"
}

# The TaskManager's memory budget is computed by Flink's own helper from the configuration.
budget() {
  local found
  found="$("$FLINK_JAVA" -cp "$FLINK_HOME/bin/bash-java-utils.jar:$FLINK_HOME/lib/flink-dist-$version.jar" \
    org.apache.flink.runtime.util.bash.BashJavaUtils GET_TM_RESOURCE_PARAMS \
    --configDir "$1/conf" 2>/dev/null | sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p')"
  sed -n 1p <<<"$found" >"$1/jvm_options"
  sed -n 2p <<<"$found" >"$1/tm_options"
}

# Waits until there are four slots and the gateway answers.
wait_for() {
  python3 - "$1" "$2" "$start_seconds_max" <<'PY'
import json, sys, time, urllib.request
rest, gateway, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
def ask(url):
    try:
        return json.load(urllib.request.urlopen(url, timeout=10))
    except OSError:
        return {}
end = time.monotonic() + limit
while time.monotonic() < end:
    if ask(rest + "/overview").get("slots-total", 0) >= 4 and ask(gateway + "/v1/info"):
        sys.exit(0)
    time.sleep(0.3)
sys.exit(1)
PY
}

# Flink's own client, which runs a gateway of its own.
sql() {
  local dir="$1" file="$2" own="" jar
  for jar in sql-gateway sql-client python; do own="$own:$jars/flink-$jar-$version.jar"; done
  # shellcheck disable=SC2086  # FLINK_OPENS is a list of options
  FLINK_CONF_DIR="$dir/conf" nice -n 5 "$FLINK_JAVA" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Xmx640m $FLINK_OPENS "-Dlog4j.configurationFile=file:$dir/conf/log4j.properties" \
    -cp "$(classpath "$dir")$own" org.apache.flink.table.client.SqlClient -f "$file"
}

stop() {
  local dir="$1" role="$2" signal="$3" pid
  alive "$dir/$role.pid" || return 0
  pid="$(cat "$dir/$role.pid")"
  kill "-$signal" "$pid" 2>/dev/null || true
  for tries in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || break
    [ "$tries" = 60 ] && kill -9 "$pid" 2>/dev/null
    sleep 0.1
  done
  rm -f "$dir/$role.pid"
}

down() {
  [ -f "$1/settings" ] || fail "$1 is no folder of a cluster"
  for role in gateway taskmanager-1 taskmanager-2 jobmanager; do stop "$1" "$role" TERM; done
  rm -rf "$1"
}

# Ends a cluster when the process that it was started for is gone.
guard() {
  setsid nohup bash -c '
    while kill -0 "$1" 2>/dev/null && [ -d "$3" ]; do sleep 1; done
    [ -d "$3" ] && exec "$2" down "$3"
  ' guard "$1" "$here/cluster.sh" "$2" >/dev/null 2>&1 </dev/null &
}

up() {
  local for_pid="" without="" dir
  while [ $# -gt 0 ]; do
    case "$1" in
      --for) for_pid="$2"; shift 2 ;;
      --without-kafka) without=1; shift ;;
      *) fail "unknown argument $1" ;;
    esac
  done
  dir="$(mktemp -d "${TMPDIR:-/tmp}/rialto-flink.XXXXXX")"
  [ -z "$without" ] || touch "$dir/without-kafka"
  # shellcheck disable=SC2046  # three ports
  configure "$dir" $(free_ports)
  budget "$dir"
  [ -z "$for_pid" ] || guard "$for_pid" "$dir"
  for role in $roles; do start "$dir" "$role"; done
  # shellcheck disable=SC1091
  . "$dir/settings"
  wait_for "$FLINK_REST" "$FLINK_GATEWAY" || {
    tail -n 5 "$dir"/log/*.log >&2
    down "$dir"
    fail "the cluster did not come up within $start_seconds_max s"
  }
  cat "$dir/settings"
}

case "${1:-}" in
  provision) provision ;;
  up) shift && provision && up "$@" ;;
  kill) [ -n "${3:-}" ] || fail "usage: cluster.sh kill DIR ROLE"; stop "$2" "$3" KILL ;;
  start) [ -n "${3:-}" ] || fail "usage: cluster.sh start DIR ROLE"; provision; start "$2" "$3" ;;
  sql) [ -n "${3:-}" ] || fail "usage: cluster.sh sql DIR FILE"; provision; sql "$2" "$3" ;;
  down) [ -n "${2:-}" ] || fail "usage: cluster.sh down DIR"; down "$2" ;;
  *) fail "usage: cluster.sh provision | up [--for PID] | kill DIR ROLE | start DIR ROLE | sql DIR FILE | down DIR" ;;
esac
