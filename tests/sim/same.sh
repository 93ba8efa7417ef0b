#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One seed is one run: a second run gives the same trace hash, another seed
# another one.
# usage: same.sh PLAIT
set -eu
plait=$1
first=$("$plait" sim swarm --hash --jobs 1 --seeds 1..40)
second=$("$plait" sim swarm --hash --jobs 1 --seeds 1..40)
if [ "$first" != "$second" ]; then
    echo "the same seeds gave other runs:"
    printf '%s\n--\n%s\n' "$first" "$second"
    exit 1
fi
different=$(printf '%s\n' "$first" | sed '$d' | cut -d' ' -f2 | sort -u | wc -l)
if [ "$different" -ne 40 ]; then
    echo "40 seeds gave $different runs"
    exit 1
fi
scenario() { "$plait" sim run join --seed 5 | grep -v 'a CPU second'; }
a=$(scenario)
b=$(scenario)
[ "$a" = "$b" ] || { echo "a scenario's runs differ"; exit 1; }
echo "40 seeds twice: the same 40 hashes"
