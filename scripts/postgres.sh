#!/usr/bin/env bash
# A real PostgreSQL for tests and benchmarks: the machine's own server binaries, on loopback, on a
# port that is free, in a temporary folder.
#
#   scripts/postgres.sh up [--for PID] [NAME=VALUE...]
#                                       start a server; prints shell assignments to eval:
#                                       POSTGRES_DIR, POSTGRES_URL, and POSTGRES_CA, the file of
#                                       the authority that signed its certificate (empty without
#                                       openssl). With --for it is gone soon after the process
#                                       PID is; the rest are settings of the server
#                                       (max_connections=5)
#   scripts/postgres.sh stop DIR        stop the server of that folder, keep its data
#   scripts/postgres.sh kill DIR        end it as a power cut would (SIGKILL), keep its data
#   scripts/postgres.sh start DIR       start it again, on the same port
#   scripts/postgres.sh down DIR        stop it and remove the folder
#
# The binaries are looked for on PATH and under /usr/lib/postgresql; where there are none, root on
# a machine with apt gets them. Exit code 3: there can be no server on this machine; the reason is
# on stderr.
set -euo pipefail

self="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/postgres.sh"
start_seconds_max=60

fail() {
  echo "postgres: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

unavailable() {
  echo "postgres: SKIPPED: no PostgreSQL on this machine: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 3
}

# --- the binaries -----------------------------------------------------------------------------
# The newest folder that has a whole server: a lone `postgres` on PATH may have no initdb.
find_bin() {
  local candidate folder
  for candidate in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV) \
      "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
    folder="$candidate"
    [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] || continue
    echo "$folder"
    return 0
  done
  return 1
}

install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  echo "postgres: installing the server" >&2
  DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq postgresql >/dev/null 2>&1
}

bin="$(find_bin)" || { install && bin="$(find_bin)"; } ||
  unavailable "no postgres, initdb and pg_ctl (looked at PATH and /usr/lib/postgresql)" \
    "on Debian: apt-get install postgresql"

# The server refuses to run as root.
user=""
if [ "$(id -u)" = 0 ]; then
  for candidate in postgres nobody; do
    id -u "$candidate" >/dev/null 2>&1 && { user="$candidate"; break; }
  done
  [ -n "$user" ] || unavailable "root cannot run it, and there is no user postgres or nobody"
  command -v setpriv >/dev/null || unavailable "root cannot run it, and there is no setpriv"
fi

as_user() {
  if [ -z "$user" ]; then
    "$@"
  else
    setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups -- "$@"
  fi
}

# --- the server -------------------------------------------------------------------------------
free_port() {
  python3 - <<'PY'
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])
PY
}

alive() { [ -s "$1/data/postmaster.pid" ] && kill -0 "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null; }

start() {
  [ -f "$1/port" ] || fail "$1 is no folder of a server"
  # After a kill the old children may take a moment to notice.
  local tries
  for tries in 1 2 3; do
    as_user "$bin/pg_ctl" -D "$1/data" -l "$1/log" -w -t "$start_seconds_max" -s start \
      </dev/null >/dev/null 2>>"$1/start.log" && return 0
    sleep 0.$((tries * 3))
  done
  tail -n 20 "$1/log" >&2
  fail "the server did not start"
}

stop() {
  alive "$1" || return 0
  as_user "$bin/pg_ctl" -D "$1/data" -m fast -w -t 30 -s stop >/dev/null 2>&1 ||
    as_user "$bin/pg_ctl" -D "$1/data" -m immediate -w -t 30 -s stop >/dev/null 2>&1 || true
}

kill_hard() {
  alive "$1" || return 0
  local pid tries
  pid="$(head -n 1 "$1/data/postmaster.pid")"
  kill -9 "$pid" 2>/dev/null || true
  # Its children end when they see that it is gone.
  for tries in $(seq 100); do
    pgrep -P "$pid" >/dev/null 2>&1 || kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
}

down() {
  [ -f "$1/port" ] || return 0
  stop "$1"
  rm -rf "$1"
}

# Ends a server when the process that it was started for is gone.
guard() {
  setsid nohup bash -c '
    while kill -0 "$1" 2>/dev/null; do sleep 1; done
    exec "$2" down "$3"
  ' guard "$1" "$self" "$2" >/dev/null 2>&1 </dev/null &
}

# An authority, and a certificate of the server for localhost, which is not 127.0.0.1.
certify() {
  local dir="$1" new=(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  "${new[@]}" -x509 -days 30 -subj "/CN=rialto tests" \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" &&
    "${new[@]}" -subj "/CN=localhost" -keyout "$dir/server.key" -out "$dir/server.csr" &&
    openssl x509 -req -days 30 -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
      -CAcreateserial -extfile <(echo "subjectAltName=DNS:localhost") -out "$dir/server.crt" &&
    chmod 600 "$dir/server.key" && chmod 644 "$dir/ca.crt"
}

up() {
  local for_pid="" dir port ca=""
  if [ "${1:-}" = --for ]; then
    for_pid="$2"
    shift 2
  fi
  dir="$(mktemp -d "${TMPDIR:-/tmp}/rialto-postgres.XXXXXX")"
  # The password makes the tests log in as a user would; trust is for the server's own tools.
  echo "rialto" >"$dir/password"
  mkdir "$dir/data"
  # The authority's file is read by whoever connects.
  chmod 711 "$dir"
  if command -v openssl >/dev/null && certify "$dir" 2>"$dir/openssl.log"; then
    ca="$dir/ca.crt"
  fi
  [ -z "$user" ] || chown -R "$user" "$dir"
  as_user "$bin/initdb" -D "$dir/data" -U rialto -A scram-sha-256 --pwfile="$dir/password" \
    -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 || {
    cat "$dir/initdb.log" >&2
    rm -rf "$dir"
    fail "initdb failed"
  }
  port="$(free_port)"
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "port = $port"
    echo "unix_socket_directories = '$dir'"
    echo "max_connections = 60"
    echo "shared_buffers = 64MB"
    # What is tested outlives the server's processes, never the machine.
    echo "fsync = off"
    echo "timezone = 'Europe/London'"
    if [ -n "$ca" ]; then
      printf "ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\n" \
        "$dir/server.crt" "$dir/server.key"
    fi
    for setting in "$@"; do echo "${setting%%=*} = '${setting#*=}'"; done
  } >>"$dir/data/postgresql.conf"
  echo "$port" >"$dir/port"
  start "$dir"
  [ -z "$for_pid" ] || guard "$for_pid" "$dir"
  printf 'POSTGRES_DIR=%q\n' "$dir"
  printf 'POSTGRES_URL=%q\n' "postgresql://rialto:rialto@127.0.0.1:$port/postgres"
  printf 'POSTGRES_CA=%q\n' "$ca"
}

case "${1:-}" in
  up) shift && up "$@" ;;
  start | stop | down) [ -n "${2:-}" ] || fail "usage: postgres.sh $1 DIR"; "$1" "$2" ;;
  kill) [ -n "${2:-}" ] || fail "usage: postgres.sh kill DIR"; kill_hard "$2" ;;
  *) fail "usage: postgres.sh up [--for PID] [NAME=VALUE...] | stop DIR | kill DIR | start DIR | down DIR" ;;
esac
