#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Sweeps of a scenario file: the table, going on after an interruption, tasks
# that run elsewhere, and joining them.
# usage: sweep.sh PLAIT
set -euo pipefail
plait=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

die()
{
    echo "$*"
    exit 1
}

sweep()
{
    "$plait" sim "$here/sweep.lua" --sweep rate=2,8,16 --sweep "name=a b,c" --seeds 1..3 "$@"
}

# The whole of it, twice: the same bytes; the second time nothing is run.
sweep --out all 2>said
grep -q '^18 runs; all/results.csv' said || die "it said: $(cat said)"
[ "$(head -n 1 all/results.csv)" = "rate,name,fail,seed,hash,time" ] || die "another header"
[ "$(wc -l <all/results.csv)" = 19 ] || die "not 18 rows"
cp all/results.csv first.csv
sweep --out all 2>said
grep -q '^0 runs, 18 were there' said || die "again it said: $(cat said)"
cmp all/results.csv first.csv || die "the second time changed the table"
sweep --jobs 1 >printed.csv 2>/dev/null
cmp printed.csv first.csv || die "one at a time gives another table"

# A range is all its numbers.
"$plait" sim "$here/sweep.lua" --sweep rate=2,8..11 --out ranged --emit-tasks >ranged.txt \
    2>/dev/null
[ "$(grep -o 'rate=[0-9]*' ranged.txt | tr '\n' ' ')" = "rate=2 rate=8 rate=9 rate=10 rate=11 " ] ||
    die "a range became: $(cat ranged.txt)"

# Interrupted: eight rows in any order and half of one are there.
mkdir part
cp all/scenario.lua part/
{
    head -n 1 first.csv
    tail -n +2 first.csv | head -n 8 | tac
    tail -n 1 first.csv | head -c 12
} >part/results.csv
sweep --out part 2>said
grep -q '^10 runs, 8 were there' said || die "after an interruption it said: $(cat said)"
cmp part/results.csv first.csv || die "what was resumed differs"

# Tasks that run by themselves, in any order, then joined: the same table.
sweep --out tasks --emit-tasks >tasks.txt 2>/dev/null
[ "$(wc -l <tasks.txt)" = 18 ] || die "not 18 tasks"
[ ! -e tasks ] || die "emitting tasks ran something"
tac tasks.txt | sed "s|^plait |'$plait' |" >run.sh
bash -e run.sh >/dev/null 2>&1 || die "a task failed"
"$plait" sim merge --out joined tasks/task-* >said
grep -q '^18 rows: joined/results.csv' said || die "merge said: $(cat said)"
cmp joined/results.csv first.csv || die "what was joined differs"

# A run that fails has no row, is told, and is tried again.
if "$plait" sim "$here/sweep.lua" --sweep rate=2,8 --set fail=2 --out failing 2>said; then
    die "a failed run went unnoticed"
fi
grep -q 'FAIL fail=2 rate=2 seed 1: .*sweep.lua:13: .*it was told to fail' said ||
    die "of a failure it said: $(cat said)"
[ "$(wc -l <failing/results.csv)" = 2 ] || die "the failed run has a row"
if "$plait" sim "$here/sweep.lua" --sweep rate=2,8 --set fail=2 --out failing 2>said; then
    die "it was not tried again"
fi
grep -q '^1 runs, 1 were there, 1 failed' said || die "the second time it said: $(cat said)"

# Results of another version of the scenario are not mixed with these.
sed 's/10ms/11ms/' "$here/sweep.lua" >other.lua
if "$plait" sim other.lua --out all 2>said; then
    die "results of two versions were mixed"
fi
grep -q 'another version' said || die "of the other version it said: $(cat said)"
"$plait" sim other.lua --seeds 1..2 --out other 2>/dev/null
if "$plait" sim merge --out joined other 2>said; then
    die "merge mixed two versions"
fi

# A capture and an event log for each run.
"$plait" sim "$here/sweep.lua" --seeds 1..2 --pcap caps --events logs --out kept 2>/dev/null
[ "$(echo caps/*)" = "caps/8-x-0-1.pcap caps/8-x-0-2.pcap" ] || die "captures: $(echo caps/*)"
grep -q conn_established logs/8-x-0-2.jsonl || die "no event log"

if command -v gnuplot >/dev/null; then
    head -c 8 all/time.png | grep -q PNG || die "no PNG"
    grep -q '<svg' all/time.svg || die "no SVG"
    grep -q '<svg' all/times.svg || die "no SVG of the distribution"
fi
echo "18 runs: whole, resumed, as tasks: one table"
