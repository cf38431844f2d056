#!/usr/bin/env bash
# Installs what a fresh Debian lacks to build and test Colloquy. Does nothing where everything is there.
# Rust, Node and Python are expected; see README.md.
set -euo pipefail

need=()
command -v cmake >/dev/null || need+=(cmake)
command -v cc >/dev/null || need+=(gcc)
command -v c++ >/dev/null || need+=(g++)
command -v make >/dev/null || need+=(make)
for extra in "$@"; do
  case "$extra" in
    --browser) command -v chromium >/dev/null || need+=(chromium) ;;
    # Only its programs are used: tests start a server of their own, which listens nowhere but in its folder.
    --postgres) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need+=(postgresql) ;;
    # For promtool only, which checks the alert rules.
    --prometheus) command -v promtool >/dev/null || need+=(prometheus) ;;
    *) echo "setup: $extra is not known" >&2; exit 1 ;;
  esac
done

for tool in cargo node npm; do
  if ! command -v "$tool" >/dev/null; then
    echo "setup: $tool is missing. Install Rust (rustup.rs) and Node 20 or newer, then run this again." >&2
    exit 1
  fi
done

if [ "${#need[@]}" -gt 0 ]; then
  echo "setup: installing ${need[*]}"
  run=()
  [ "$(id -u)" = 0 ] || run=(sudo)
  if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then
    echo "setup: cannot install packages here (no apt-get, or not root and no sudo). Install ${need[*]} yourself and run this again." >&2
    exit 1
  fi
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
