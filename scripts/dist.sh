#!/usr/bin/env bash
# Packs the command, its licence and its README. `make dist` builds it first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${CARGO_TARGET_DIR:-$HOME/.cache/rialto/target}"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
name="rialto-$version-$(uname -m)-$(uname -s | tr '[:upper:]' '[:lower:]')"

stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$name" "$target/dist"
cp "$target/debug/rialto" "$stage/$name/"
strip "$stage/$name/rialto" 2>/dev/null || true
cp LICENSE README.md CHANGELOG.md "$stage/$name/"
cp -r examples "$stage/$name/examples"
find "$stage" -name __pycache__ -prune -exec rm -rf {} +
tar -C "$stage" --sort=name --owner=0 --group=0 -czf "$target/dist/$name.tar.gz" "$name"
(cd "$target/dist" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
echo "$target/dist/$name.tar.gz"
