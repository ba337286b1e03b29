#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Reclaim under a running guest keeps its data: the payload keeps writing and
# verifying its hot pages, cold ones are swapped out, and at the end every page
# has what was last written to it. Nothing here depends on speed: the guest is
# stopped when the awaited state is reached.
#
# Where no source of accessed bits works on this machine, the same test runs in
# a lab machine with the kvm-young module.  VMM_TEST_RECLAIM names others:
# options of vmm run, and VMM_TEST_MEM how many MiB an emulated machine can
# handle in time (tests/lab/linux-inside.sh).
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
self=$srcdir/tests/native/reclaim-payload.sh

source_works() {
  "$vmm" run --kernel "$payload" --cmdline "seconds=0 check=0" --mem 32M \
    --socket "$tmp/probe" --abits auto --reclaim on </dev/null >/dev/null \
    2>"$tmp/why"
}

reclaim=${VMM_TEST_RECLAIM---abits auto}
if [ -n "${VMM_TEST_RECLAIM-}" ]; then
  echo "# $VMM_TEST_RECLAIM"
elif [ -n "${VMM_TEST_MODULE-}" ]; then
  insmod "$VMM_TEST_MODULE" || exit 1
elif [ ! -e /dev/kvm ] || ! source_works; then
  [ ! -s "$tmp/why" ] || sed 's/^/# not on this machine itself: /' "$tmp/why"
  payload_in_lab "$self"
  exit
fi
payload_require
mem=${VMM_TEST_MEM:-256}
require_swap "$mem"
target=$((mem << 20 >> 2))

# A tenth is hot, in scattered single pages; the rest is touched when memory is
# filled and in the last check only.  So no huge page is idle, and all are split
# once it is found that most of each is.
# shellcheck disable=SC2086 # options, split on purpose
payload_start "pattern=hotcold hot=10% write=25 seconds=100000" \
  --mem ${mem}M --cpus 1 --socket "$socket" $reclaim \
  --reclaim target=$((mem / 4))M,period=500ms,idle=2,cpu=50

wait_event $grace run
ok $? "the guest fills its memory and runs"

# The statistics are of the last scan: it must have begun after the fill.
some_scans_later 2
# 5 % over, for pages refaulted since the last scan.
wait_for $grace resident_within $((target + target / 20))
ok $? "resident memory drops to the target"
echo "# resident $(stat_of .memory.resident_bytes) of $((mem << 20))," \
  "evicted $(stat_of .engine.nr_evicted), source $(stat_of .engine.source)"

hot=$(event start hot_pages)
between $(((mem << 8) - target / 4096 - target / 4096 / 20 - 4096)) \
  "$(stat_of .engine.nr_evicted)" 99999999 "what left was evicted"

# The hot set must stay.  A hot page may be misjudged (the sources don't flush
# the TLB), but not again and again: so some scans later refaults have ceased.
some_scans_later 5
echo "# $(stat_of .engine.nr_refaults) refaults until now, of $hot hot pages"
# Where the guest gets too little of a processor it uses them less often than the
# engine looks; then it may take longer.
ceased() {
  refaults=$(stat_of .engine.nr_refaults)
  some_scans_later 5
  echo "# $(($(stat_of .engine.nr_refaults) - refaults)) of $hot came back"
  [ $(($(stat_of .engine.nr_refaults) - refaults)) -le $((hot / 20)) ]
}
wait_for $grace ceased
ok $? "then in five scans less than 5 % of them come back"
is "$(stat_of .engine.nr_scan_errors)" 0 "no scan failed"
wait_for $grace resident_within $((target + target / 20))
ok $? "and memory stays at the target"

payload_end_run
payload_wait
is "$status" 0 "the guest checks all its pages and powers off"
is "$(event summary errors)" 0 "no page was wrong, ever"
is "$(event summary pages_checked)" "$(event start private_pages)" \
  "every page was checked"
done_testing
