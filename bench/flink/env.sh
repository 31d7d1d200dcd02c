# Sourced by up.sh, down.sh and run.py's calls: where the cluster keeps its files.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repo="$(cd "$here/../.." && pwd)"
bench_dir="${RIALTO_BENCH_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/rialto/flink/bench}"
rest_port="${RIALTO_FLINK_PORT:-18081}"
