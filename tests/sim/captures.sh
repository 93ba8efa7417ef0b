#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Scenarios write captures; tshark, which nobody here wrote, must find nothing
# malformed and nothing that it calls an error.
# usage: captures.sh PLAIT [SCENARIO...]
set -eu
plait=$1
shift
[ $# -gt 0 ] || set -- capable join ipv6 checksum long-numbers add-addr address-goes priority \
    backup fastclose data-fin-alone data-fin-with-data tcp-server tcp-client subflow-limit \
    join-ack-lost one-loss super-segments zero-window v0/capable v0/join v0/add-addr v0/checksum v0/priority
if ! command -v tshark >/dev/null; then
    echo "tshark is not installed" >&2
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
for name in "$@"; do
    pcap=$dir/$(echo "$name" | tr / -).pcap
    "$plait" sim run "$name" --pcap "$pcap" >"$dir/out" || { cat "$dir/out"; failed=1; }
    packets=$(tshark -r "$pcap" -T fields -e frame.number 2>/dev/null | wc -l)
    tshark -r "$pcap" -d 'tcp.port==5001-5200,data' \
        -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
        -Y '_ws.malformed || _ws.expert.severity == error' >"$dir/bad" 2>"$dir/err"
    bad=$(wc -l <"$dir/bad")
    echo "$name: $packets packets, $bad bad"
    if [ "$bad" -gt 0 ] || [ "$packets" -lt 3 ]; then
        head -n 5 "$dir/bad"
        failed=1
    fi
done
exit "$failed"
