#!/bin/sh
# A flame graph of a running process: scripts/flame.sh PID OUT.svg [SECONDS] [TITLE]
# Needs perf (Debian: linux-perf) and inferno (cargo install inferno). Frames of the runtime's plumbing are left out.
set -eu
pid=$1 out=$2 seconds=${3:-8} title=${4:-"process $1"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
perf record -q -F 399 --call-graph dwarf,24576 -p "$pid" -o "$work/data" -- sleep "$seconds"
perf script --no-inline -i "$work/data" 2>/dev/null | inferno-collapse-perf 2>/dev/null |
    awk '{
        count = $NF; sub(/ [0-9]+$/, "")
        n = split($0, frames, ";"); line = frames[1]
        for (i = 2; i <= n; i++)
            if (frames[i] !~ /^(\[unknown\]|start_thread|clone3|__clone3|tokio::runtime::(task|context|blocking|scheduler)|core::ops::function|std::(sys|panicking|thread)|__rust|<?tokio_util::task|<core::(pin|panic|future)|<tokio_util|entry_SYSCALL|do_syscall)/)
                line = line ";" frames[i]
        print line " " count
    }' |
    inferno-flamegraph --title "$title" --minwidth 0.4 --hash > "$out"
