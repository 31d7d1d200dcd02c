#!/usr/bin/env bash
# Starts a real local Flink cluster for benchmarks: one JobManager, one TaskManager, loopback only.
#
#   bench/flink/up.sh [--slots N] [--memory 4g]
#
# Slots default to the number of cores; memory is the TaskManager's whole process. No checkpoints,
# state on the heap. State and logs: RIALTO_BENCH_DIR, by default below ~/.cache/rialto/flink/bench.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

slots="$(nproc)"
memory=4g
while [ $# -gt 0 ]; do
  case "$1" in
    --slots) slots="$2"; shift 2 ;;
    --memory) memory="$2"; shift 2 ;;
    *) echo "up: unknown argument $1" >&2; exit 2 ;;
  esac
done

for role in jobmanager taskmanager; do
  if [ -f "$bench_dir/$role.pid" ] && kill -0 "$(cat "$bench_dir/$role.pid")" 2>/dev/null; then
    echo "up: a $role of this bench is running already; bench/flink/down.sh stops it" >&2
    exit 2
  fi
done

settings="$("$repo/tests/flink/provision.sh" --print)"
eval "$settings"
conf="$bench_dir/conf"
mkdir -p "$conf" "$bench_dir/log" "$bench_dir/classes" "$bench_dir/tmp"
cat "$here/config.yaml" - > "$conf/config.yaml" <<EOF
jobmanager:
  bind-host: 127.0.0.1
  rpc:
    address: 127.0.0.1
    port: $((rest_port + 1))
taskmanager:
  bind-host: 127.0.0.1
  host: 127.0.0.1
  numberOfTaskSlots: $slots
  memory:
    process:
      size: $memory
    managed:
      fraction: 0.05
    network:
      max: 256m
parallelism:
  default: $slots
rest:
  address: 127.0.0.1
  bind-address: 127.0.0.1
  port: $rest_port
io:
  tmp:
    dirs: $bench_dir/tmp
EOF
cat > "$conf/log4j.properties" <<EOF
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %c - %m%n
EOF

"$FLINK_JAVAC" -cp "$FLINK_CP" -d "$bench_dir/classes" "$here/SqlSubmit.java"

# The TaskManager's memory budget is computed by Flink's own helper from the configuration.
helper="$FLINK_HOME/bin/bash-java-utils.jar:$FLINK_HOME/lib/flink-dist-2.3.0.jar"
budget="$("$FLINK_JAVA" -cp "$helper" org.apache.flink.runtime.util.bash.BashJavaUtils \
  GET_TM_RESOURCE_PARAMS --configDir "$conf" 2>/dev/null \
  | sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p')"
jvm_options="$(sed -n 1p <<<"$budget")"
tm_options="$(sed -n 2p <<<"$budget")"

start() {
  local role="$1"
  shift
  # shellcheck disable=SC2086  # FLINK_OPENS is a list of options
  nohup "$FLINK_JAVA" "$@" >"$bench_dir/log/$role.log" 2>&1 </dev/null &
  echo $! > "$bench_dir/$role.pid"
}

log="-Dlog4j.configurationFile=file:$conf/log4j.properties"
# shellcheck disable=SC2086  # lists of options
start jobmanager -Xmx768m -XX:+UseSerialGC $FLINK_OPENS $log -cp "$FLINK_CP" \
  org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$conf"
# shellcheck disable=SC2086
start taskmanager -XX:+UseG1GC $jvm_options $FLINK_OPENS $log -cp "$FLINK_CP" \
  org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$conf" $tm_options

for _ in $(seq 120); do
  found="$(python3 -c 'import json, sys, urllib.request
try:
    print(json.load(urllib.request.urlopen(sys.argv[1], timeout=2))["slots-total"])
except OSError:
    print(0)' "http://127.0.0.1:$rest_port/overview")"
  if [ "$found" -ge "$slots" ]; then
    echo "up: Flink 2.3.0, $slots slots, port $rest_port" >&2
    exit 0
  fi
  sleep 0.5
done
echo "up: the cluster did not come up within 60 s; see $bench_dir/log" >&2
"$here/down.sh"
exit 1
