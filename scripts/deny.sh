#!/usr/bin/env bash
# Runs cargo-deny, installing the pinned version if it is not there. Advisories need their database from the network:
# where it cannot be fetched, everything else is still checked and the gap is said aloud.
set -euo pipefail
version=0.20.2
if ! cargo deny --version 2>/dev/null | grep -q "$version"; then
  echo "deny: installing cargo-deny $version"
  cargo install --locked --quiet "cargo-deny@$version"
fi
cargo deny --locked --log-level error check licenses bans sources
if cargo deny --log-level error fetch db >/dev/null 2>&1; then
  cargo deny --locked --log-level error check advisories
else
  echo "deny: the advisory database could not be fetched, so advisories were NOT checked"
fi
