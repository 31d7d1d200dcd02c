#!/usr/bin/env bash
# Sees to it that this machine can build Rialto, or says exactly what is missing.
#
#   scripts/setup.sh build    C and C++ compilers, OpenSSL, zlib, python3, Rust toolchain
#   scripts/setup.sh lint     the same, rustfmt and clippy too
#
# On a Debian where it may (root, or sudo without a password) it installs what is missing. It
# does nothing, and says nothing, where all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
purpose="${1:-build}"
export PATH="$PATH:$HOME/.cargo/bin"

wanted="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"

fail() {
  echo "setup: $1" >&2
  shift
  for line in "$@"; do echo "  $line" >&2; done
  exit 2
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null || return 1
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
  may_install || return 1
  echo "setup: installing $*" >&2
  as_root apt-get update -qq >&2 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "$@" >&2
}

# --- programs and the Debian packages that bring them -----------------------------------------
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v python3 >/dev/null || missing+=(python3)
# librdkafka is compiled from source, and uses the system's OpenSSL and zlib.
command -v c++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
command -v pkg-config >/dev/null || missing+=(pkg-config)
has_header() { echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1; }
has_header openssl/ssl.h || missing+=(libssl-dev)
has_header zlib.h || missing+=(zlib1g-dev)
if [ ${#missing[@]} -gt 0 ]; then
  apt_install "${missing[@]}" ||
    fail "missing: ${missing[*]}" "on Debian, as root: apt-get install ${missing[*]}"
fi

# --- Rust -------------------------------------------------------------------------------------
# True if version $1 is not below version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

rust_version() { (rustc --version 2>/dev/null || true) | cut -d ' ' -f 2; }

install_rust() {
  if command -v rustup >/dev/null; then
    rustup toolchain install stable --profile minimal && rustup default stable
    return
  fi
  # Debian 13 and later carry rustup; older ones get it from rust-lang.org.
  if may_install && apt-cache show rustup >/dev/null 2>&1 && apt_install rustup; then
    rustup default stable
    return
  fi
  command -v curl >/dev/null || apt_install curl ca-certificates || return 1
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
    sh -s -- -y --profile minimal --no-modify-path
}

if ! { command -v cargo >/dev/null && at_least "$(rust_version)" "$wanted"; }; then
  found="$(rust_version)"
  echo "setup: Rust $wanted or later is needed (found: ${found:-none}); installing it" >&2
  install_rust >&2 || true
  hash -r
  at_least "$(rust_version)" "$wanted" ||
    fail "no Rust $wanted or later could be installed" \
      "see https://rustup.rs, then: rustup default stable" \
      "(an older cargo that stands first in PATH hides the new one)"
fi

if [ "$purpose" = lint ]; then
  for part in fmt clippy; do
    cargo "$part" --version >/dev/null 2>&1 && continue
    component=$part
    [ "$part" = fmt ] && component=rustfmt
    rustup component add "$component" >&2 ||
      fail "cargo $part is missing" "with rustup: rustup component add $component"
  done
fi
